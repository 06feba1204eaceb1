"""The jars on this machine: downloaded once, verified before every start.

Downloads go to a folder of their own below the user's cache and are moved into place, whole and verified, by a
rename; a file lock lets one process at a time do so. ``~/.m2`` is neither read nor written. Once every jar is there,
nothing is asked of the network.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from detector.broker.digests import sha256_of
from detector.broker.errors import LocalBrokerError
from detector.broker.lockfile import LockedJar

_ATTEMPTS = 3
_PARALLEL_DOWNLOADS = 6

Progress = Callable[[int, int], None]
"""Called with the number of jars that are there, and of all jars."""


class Fetch(Protocol):
    """Downloads a jar."""

    def __call__(self, jar: LockedJar, work_dir: Path) -> Path:
        """Path of the jar, somewhere below ``work_dir``.

        Raises:
            OSError: it cannot be had.
            RuntimeError: it cannot be had.
        """
        ...


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/reconstream``, by default ``~/.cache/reconstream``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "reconstream"


def fetch_from_maven(jar: LockedJar, work_dir: Path) -> Path:
    """Download with jgo from Maven Central, or from the mirror that jgo's own configuration names ``central``.

    Raises:
        OSError: no connection (the errors of ``requests`` are OSErrors).
        RuntimeError: no repository has the jar.
    """
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    # It warns of wrong checksums, and installs the file all the same; we check for ourselves.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    context = MavenContext(repo_cache=work_dir, remote_repos=repositories)
    path: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return path


class JarCache:
    """Verified jars in a folder that several processes may share.

    Args:
        directory: Created when needed.
        fetch: How a missing jar is downloaded.
    """

    def __init__(self, directory: Path, fetch: Fetch = fetch_from_maven) -> None:
        self._jars_dir = directory / "jars"
        self._fetch = fetch

    def ensure(self, jars: Sequence[LockedJar], progress: Progress | None = None) -> list[Path]:
        """Paths of the jars, in the order given, each with the digest that the lock file states.

        A cached jar that is damaged is downloaded again.

        Raises:
            LocalBrokerError: a jar cannot be downloaded, or what arrived is not what the lock file states.
        """
        paths = [self._jars_dir / jar.relative_path for jar in jars]
        if self._wrong(jars):
            try:
                self._jars_dir.mkdir(parents=True, exist_ok=True)
                with self._exclusive():
                    # Another process may have downloaded them while this one waited.
                    self._download(self._wrong(jars), len(jars), progress)
            except OSError as error:
                raise LocalBrokerError(
                    f"cannot write the cache of the broker's jars: {error}; "
                    "set XDG_CACHE_HOME to a folder that you may write"
                ) from error
        return paths

    def _wrong(self, jars: Sequence[LockedJar]) -> list[LockedJar]:
        return [jar for jar in jars if not _matches(self._jars_dir / jar.relative_path, jar)]

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with (self._jars_dir / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _download(self, missing: Sequence[LockedJar], total: int, progress: Progress | None) -> None:
        work_dir = Path(tempfile.mkdtemp(prefix=".download-", dir=self._jars_dir))
        try:
            with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
                downloads = [pool.submit(self._download_one, jar, work_dir / str(i)) for i, jar in enumerate(missing)]
                try:
                    for done, download in enumerate(as_completed(downloads), start=total - len(missing) + 1):
                        download.result()
                        if progress is not None:
                            progress(done, total)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)

    def _download_one(self, jar: LockedJar, work_dir: Path) -> None:
        path = self._fetch_patiently(jar, work_dir)
        found = sha256_of(path)
        if found != jar.sha256:
            raise LocalBrokerError(
                f"checksum mismatch: {jar.coordinate} has SHA-256 {found}, the lock file says {jar.sha256}; it was not "
                "installed. The download was altered on its way (a proxy, a mirror): try again from another network"
            )
        target = self._jars_dir / jar.relative_path
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)

    def _fetch_patiently(self, jar: LockedJar, work_dir: Path) -> Path:
        for attempt in range(1, _ATTEMPTS + 1):
            # A fresh folder each time: the rest of a cut download would be taken for the whole.
            attempt_dir = work_dir / str(attempt)
            attempt_dir.mkdir(parents=True)
            try:
                return self._fetch(jar, attempt_dir)
            except (OSError, RuntimeError) as error:
                if attempt == _ATTEMPTS:
                    raise LocalBrokerError(
                        f"cannot download {jar.coordinate} from Maven Central: {_first_line(error)}. "
                        "The first start of the local broker needs the network; later ones do not"
                    ) from error
        raise AssertionError("unreachable")


def _matches(path: Path, jar: LockedJar) -> bool:
    try:
        return sha256_of(path) == jar.sha256
    except OSError:
        return False


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
