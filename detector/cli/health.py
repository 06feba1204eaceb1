"""``detector health``: whether a worker or a dashboard is well, as an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def health(
    url: Annotated[
        str | None,
        typer.Argument(help="Address to ask; without it, that of the worker in the configuration.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The worker's configuration file.", show_default=False),
    ] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Ask /readyz of the worker, rather than /healthz.")] = False,
    timeout: Annotated[str, typer.Option(help="How long an answer may take.", metavar="DURATION")] = "3s",
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM file of the authorities to trust, with TLS.", show_default=False)
    ] = None,
    cert_file: Annotated[
        Path | None, typer.Option(help="PEM file of a certificate to show, with TLS.", show_default=False)
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="PEM file of its private key.", show_default=False)] = None,
) -> None:
    """Ask a worker on this machine whether it is well: status 0 if so, otherwise 12 and the reason.

    For health checks of containers, where no curl is, and for probes of endpoints that want a login or a client's
    certificate: with -c, address and login are those of the section http.

    Examples:
        detector health -c detector.yaml

        detector health -c detector.yaml --ready

        detector health http://127.0.0.1:9465/healthz
    """
    import os

    from detector.errors import ConfigError
    from detector.moments import parse_span
    from detector.observability.asking import Endpoint, ask, endpoint_of, tls_context

    if (url is None) == (config is None):
        raise ConfigError("give either an address, or -c with the worker's configuration file")
    if (cert_file is None) != (key_file is None):
        raise ConfigError("--cert-file and --key-file belong together; give both")
    if url is not None:
        if ready:
            raise ConfigError("--ready is for -c; with an address, write the path that is to be asked into it")
        tls = tls_context(ca_file, cert_file, key_file, verify=True) if url.startswith("https:") else None
        endpoint = Endpoint(url, tls)
    else:
        from detector.settings_file import load_settings

        assert config is not None  # noqa: S101 - for the type checker; said above
        settings = load_settings(config, os.environ).http
        endpoint = endpoint_of(settings, "/readyz" if ready else "/healthz", ca_file, cert_file, key_file)
    ask(endpoint, parse_span(timeout, "--timeout"))
    typer.echo(f"ok: {endpoint.url}")
