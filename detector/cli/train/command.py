"""``detector train``: from files or a topic's history to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Parquet, CSV or JSON Lines files.", show_default=False)
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory of the bundle to write.", show_default=False)
    ] = ...,  # type: ignore[assignment]  # Typer's way to say that an option must be given
    topic: Annotated[str | None, typer.Option(help="Topic to train on instead of files.", show_default=False)] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Configuration file: cluster, and record settings of --topic.", show_default=False
        ),
    ] = None,
    bootstrap_server: Annotated[str | None, typer.Option(help="host:port of the cluster.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="First event time: ISO 8601, or a duration before now.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="First event time that is too late.", show_default=False)] = None,
    architecture: Annotated[
        str,
        typer.Option(
            help="Kind of model; 'detector models architectures' lists them. auto tries several, and ways to score."
        ),
    ] = "streaming",
    budget: Annotated[str, typer.Option(help="--architecture auto: time for trying, before the training.")] = "10m",
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Option of the architecture; may be given several times.", show_default=False
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many; without it 20, or 5 to 60 for window autoencoders, by the amount of data.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Samples in a window; without it up to 16 (6 for autoregression, 10 for pca, 64 for window "
            "autoencoders), by the amount of data.",
            show_default=False,
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(
            help="Step of the samples, such as 10s; none to count them; found by itself without it.",
            show_default=False,
        ),
    ] = None,
    units: Annotated[int, typer.Option(min=1, help="Width of the recurrent layers.")] = 64,
    latent: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Width of the code between encoder and decoder; 8 without it (16 for window autoencoders).",
            show_default=False,
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="Channels, separated by commas; all that hold numbers without it.", show_default=False),
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Files: column of the event time.", show_default=False)
    ] = None,
    series_column: Annotated[
        str | None, typer.Option(help="Files: column that names the series.", show_default=False)
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Files: name of the series of all rows.", show_default=False)
    ] = None,
    score: Annotated[
        str, typer.Option(help="What residuals count: squared, standardised, robust, log or gaussian.")
    ] = "standardised",
    score_parts: Annotated[
        str | None,
        typer.Option(
            help="Estimates to compare with, separated by commas: reconstruction, prediction, linear; local, level, "
            "daily and weekly, which learn from the series itself; 'daily?' counts if the data has that rhythm. For "
            "streaming linear,prediction,daily? without it, for all others reconstruction.",
            show_default=False,
        ),
    ] = None,
    scales: Annotated[
        str, typer.Option(help="Samples to average the score over, separated by commas; 1 for no smoothing.")
    ] = "1,10,30",
    link: Annotated[
        str,
        typer.Option(
            help="How averages become one score: plain (mean), log (against what is usual in held-out data), surprise "
            "(how rare in the series' own past)."
        ),
    ] = "log",
    threshold: Annotated[str, typer.Option(help="How it is set: budget, risk or quantile.")] = "budget",
    alerts_per_week: Annotated[
        float, typer.Option(min=0.0, help="--threshold budget: false alarms to accept per series.")
    ] = 1.0,
    risk: Annotated[
        float, typer.Option(help="--threshold risk: probability that an ordinary sample exceeds the threshold.")
    ] = 1e-4,
    quantile: Annotated[float, typer.Option(help="--threshold quantile: share of held-out scores below it.")] = 0.9999,
    adaptive: Annotated[
        str, typer.Option(help="Let the threshold follow each series: none, spot (its tail), dspot (its level too).")
    ] = "none",
    folds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="For short data: measure in so many parts, each with a model that learned from the others.",
            show_default=False,
        ),
    ] = None,
    warm_up: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Samples on which a series that is new later is measured; 0 scales it as all together.",
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0.0, help="Largest step size of the optimiser; 0.005 without it.", show_default=False),
    ] = None,
    clipnorm: Annotated[
        float | None,
        typer.Option(min=0.0, help="Bound on the gradient norm of each weight array.", show_default=False),
    ] = None,
    clipvalue: Annotated[
        float | None, typer.Option(min=0.0, help="Bound on each number of a gradient.", show_default=False)
    ] = None,
    global_clipnorm: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Bound on the norm of all gradients together; 1 without any of the three, 0 clips nothing.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and sampling.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of TensorFlow.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="REGISTRY/NAME", help="Put the bundle into a registry of models as well.", show_default=False
        ),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(help="With --push: let this alias name it; may be given several times.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write how it went to this file, as one HTML page.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train an autoencoder on normal operation and calibrate its threshold, without labels.

    The first four fifths of every series are learned from; the last fifth measures what is left of each channel and
    sets the threshold. Ends with a report: loss, gradient norms by layer and what is wrong with them, threshold and the
    alerts to expect. With --report the same is a page with pictures, and shows held-out samples beside what the model
    made of them.

    Examples:
        detector train january.parquet february.parquet --out models/pumps

        detector train --topic telemetry --since 30d --out models/servers

        detector train metrics.csv --series-column host --period 1m --epochs 20 --out models/hosts

        detector train -c detector.yaml --topic telemetry --since 30d --out new --push s3://bucket/models/pumps

        detector train metrics.csv --architecture lstm_vae --option beta=0.5 --out models/metrics

        detector train metrics.csv --architecture auto --budget 5m --out models/metrics

        detector train january.parquet --out models/pumps --report training.html
    """
    import json
    import sys
    from dataclasses import replace
    from datetime import UTC, datetime

    from detector.cli.common.bundles import BundleSource, model_errors
    from detector.cli.common.judgement import incident_counter, names_in, scales_in
    from detector.cli.common.series_data import between, from_files, from_topic
    from detector.cli.models.registry import push_bundle, registry_of
    from detector.cli.train.auto import AUTO, THRESHOLD, choose, given, refuse_what_is_chosen
    from detector.cli.train.page import check_page, write_page
    from detector.cli.train.report import EpochProgress, as_document, print_report
    from detector.errors import BundleError, ConfigError
    from detector.moments import parse_moment, parse_span
    from detector.settings import IncidentSettings
    from detector.training_data import median_period_seconds
    from models.architectures import find
    from models.architectures.options import parse as parse_options
    from models.bundle import check_target, short_version, write_bundle
    from models.calibration import CalibrationOptions
    from models.errors import BundleError as UnwritableBundleError
    from models.errors import ModelsError
    from models.recipe import WINDOWS_IN_LONGEST, Recipe
    from models.scores import ScoreOptions
    from models.training import Clipping
    from models.training import train as fit

    if bool(files) == (topic is not None):
        raise ConfigError("give either files or --topic")
    if alias and push is None:
        raise ConfigError("--alias moves an alias of a registry; say which with --push REGISTRY/NAME")
    source = BundleSource()
    if push is not None:
        registry_of(source, push)  # a name that cannot be one is told before the training, not after it
    if out.exists() and not force:
        raise ConfigError(f"{out} exists already; choose another --out, or --force to replace it")
    with model_errors():
        check_target(out, force)  # what cannot be replaced or written is told before the training, too
    if report is not None:
        check_page(report)  # what is missing for it is told before the training, not after it
    automatic = architecture == AUTO
    budget_seconds = parse_span(budget, "--budget")
    asked: Recipe | None = None
    try:
        if automatic:
            refuse_what_is_chosen(context)
        else:
            kind = find(architecture)
            asked = Recipe(
                name=architecture,
                architecture=architecture,
                options=parse_options(architecture, kind.options, option or ()),
                window=window,
                units=units,
                latent=latent,
                score=ScoreOptions(kind=score, parts=names_in(score_parts), scales=scales_in(scales), link=link),
            )
        limits = None
        if not automatic or given(context, THRESHOLD):
            limits = CalibrationOptions(
                method=threshold, alerts_per_week=alerts_per_week, risk=risk, quantile=quantile, adaptive=adaptive
            )
    except ModelsError as error:
        raise ConfigError(str(error)) from error
    now = datetime.now(UTC)
    since_ns = None if since is None else parse_moment(since, "--since", now)
    until_ns = None if until is None else parse_moment(until, "--until", now)
    chosen = names_in(channels) or None
    if topic is None:
        data, names = from_files(files or [], time_column, series_column, series, chosen)
        data = between(data, since_ns, until_ns)
    else:
        data, names = from_topic(topic, config, bootstrap_server, chosen, since_ns, until_ns)
    if not any(len(times) for times, _ in data.values()):
        raise ConfigError("there is no sample to train on in that range; look at --since and --until")
    longest = max(len(times) for times, _ in data.values())
    if window is not None:
        longest = max(longest, window * WINDOWS_IN_LONGEST)  # what is asked for is not made smaller
    step = median_period_seconds(data) if period is None else None
    if period not in (None, "none"):
        step = parse_span(str(period), "--period")
    try:
        selection, recipe = None, asked
        if recipe is None:
            selection = choose(data, names, step, budget_seconds, seed, threads)
            recipe = selection.recipe
        spec = recipe.spec(names, longest=longest, period_seconds=step, seed=seed)
        bounds = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        chosen_options: dict[str, Any] = {"threads": threads}
        if epochs is not None:
            chosen_options["epochs"] = epochs
        if folds is not None:
            chosen_options["folds"] = folds
        if learning_rate is not None:
            chosen_options["learning_rate"] = learning_rate
        if any(bound is not None for bound in bounds.values()):
            chosen_options["clipping"] = Clipping(**bounds)
        with EpochProgress() as progress:
            trained = fit(
                data,
                spec,
                recipe.train_options(**chosen_options),
                score=recipe.score,
                calibration=limits or recipe.calibration,
                warm_up=warm_up,
                count_incidents=incident_counter(IncidentSettings(), spec.window),
                progress=progress,
            )
        if selection is not None:
            trained = replace(trained, history=replace(trained.history, selection=selection.to_dict()))
    except ModelsError as error:
        raise ConfigError(str(error)) from error
    try:
        digest = write_bundle(out, trained, created_at=now, force=force)
    except UnwritableBundleError as error:
        raise BundleError(str(error)) from error
    document = as_document(trained, out, digest)
    if report is not None:
        version = short_version(spec.architecture, now.isoformat(), digest)
        write_page(report, trained, document, version, now)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        if document["shortfall"] is not None:
            typer.echo(f"warning: {document['shortfall']}", err=True)
    else:
        print_report(document, sys.stdout, report)
    if push is not None:
        push_bundle(source, out, push, alias or (), "", None)
