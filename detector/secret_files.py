"""Secrets from files, as orchestrators mount them."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import structlog
from pydantic import SecretStr

from detector.errors import ConfigError

_MAX_BYTES = 65_536
_LOG = structlog.get_logger(__name__)


def read_secret(path: Path, setting: str) -> str:
    """The text in a file, without the line end that editors add.

    A file that every user of the machine may read is warned about, not refused: a container has but one user, and
    Kubernetes mounts secrets that way.

    Args:
        path: Of the file.
        setting: That names it, for messages.

    Raises:
        ConfigError: the file cannot be read, is empty, or is no text.
    """
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = stream.read(_MAX_BYTES + 1)
        text = data.decode("utf-8").strip("\r\n")
    except OSError as error:
        raise ConfigError(f"{setting}: {file_problem(path, error)}") from error
    except UnicodeDecodeError:
        # Without its cause, which quotes the content.
        raise ConfigError(f"{setting}: {path} is not a text file") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{setting}: {path} is larger than {_MAX_BYTES:,} bytes; that is no password")
    if not text:
        raise ConfigError(f"{setting}: {path} is empty")
    warn_if_open(path, setting, mode)
    return text


def warn_if_open(path: Path, setting: str, mode: int | None = None) -> None:
    """Log a warning if everyone on the machine may read a file, or write it."""
    mode = stat.S_IMODE(path.stat().st_mode) if mode is None else mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        found = {"setting": setting, "path": str(path), "mode": f"{mode:04o}", "remedy": f"chmod o-rw {path}"}
        _LOG.warning("secret file is open to every user", **found)


def check_readable(path: Path, setting: str) -> None:
    """Check that a file can be opened.

    Raises:
        ConfigError: it cannot; names the setting.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{setting}: {file_problem(path, error)}") from error


def file_problem(path: Path, error: OSError) -> str:
    """What is wrong with a file of certificates or secrets, in words."""
    if isinstance(error, ssl.SSLError):
        return f"{path} holds no PEM certificate"
    return f"cannot read {path}: {error.strerror}"


def key_pair(context: ssl.SSLContext, cert: Path, key: Path, password: SecretStr | None, section: str) -> None:
    """Load a certificate with its private key into a context.

    Args:
        context: Of a client or a server.
        cert: PEM file of the certificate, with those in between up to the authority.
        key: PEM file of the private key.
        password: Of the key, where it is encrypted.
        section: Name of the settings' section, for messages.

    Raises:
        ConfigError: a file cannot be read, is no PEM file, or the key does not fit.
    """
    # Without a function OpenSSL would ask for the password on the terminal.
    plain = password.get_secret_value() if password is not None else ""
    check_readable(cert, f"{section}.cert_file")
    check_readable(key, f"{section}.key_file")
    warn_if_open(key, f"{section}.key_file")
    try:
        context.load_cert_chain(cert, key, lambda: plain)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"the key in {key} does not belong to the certificate in {cert}; name a pair"
        else:
            problem = f"{cert} and {key} are no usable PEM certificate and key, or key_password is wrong or missing"
        raise ConfigError(f"{section}: {problem} ({error.reason})") from error
