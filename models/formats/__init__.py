"""Files of models: how one is made for ONNX Runtime, and what any may hold, looked into before a library opens it."""
