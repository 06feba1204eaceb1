"""The Keras side of reconstream: arrays and files, never Kafka, topics or metrics.

Where to read what, from the bottom up; imports run in this order, and a contract in ``pyproject.toml`` holds it:

- What a model is: `shape` and `spec`, with the inputs and outputs of `outputs` and the carried state of `memory`.
- Cells and networks: `architectures`, a module each: recurrent (``simple_rnn``), LSTM, GRU, Bi-LSTM, encoder-decoder
  with teacher forcing (``seq2seq``), variational LSTM (``lstm_vae``), with carried memory (``streaming``), and the
  linear ones (``pca``, ``autoregression``). Their gates are made visible by `inspection`.
- How weights are found: `fitting`, with the loop, gradient clipping (`fitting.clipping`), teacher forcing and scheduled
  sampling (`fitting.teacher_forcing`), the evidence lower bound (`fitting.variational`), and truncated backpropagation
  through time (`fitting.carried`).
- How far back a model looks: `horizon`, the memory horizon.
- From errors to alarms: `scores`, `calibration`, `thresholds`.
- What is served: `formats`, `runtimes`, `companions`, and `chain`, which puts them together.
- From data to a model: `training`, `recipe`, `selection` with the faults of `injection`; and what the result is kept
  in: `bundle` and `registry`.

``docs/models.md`` tells the same as a text, with the equations.
"""
