"""Jars are downloaded once, verified always, and never half there."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.broker import relock
from detector.broker.errors import LocalBrokerError
from detector.broker.jars import JarCache, default_cache_dir
from detector.broker.lockfile import LOCK_FILE, LockedJar, kafka_version, read_lock


def jar(name: str, content: bytes | None = None) -> LockedJar:
    digest = hashlib.sha256(content if content is not None else name.encode()).hexdigest()
    return LockedJar("org.example", name, "1.0", digest)


class Repository:
    """Serves each jar's name as its bytes, and counts."""

    def __init__(
        self, failures: int = 0, content: Callable[[LockedJar], bytes] = lambda j: j.artifact.encode()
    ) -> None:
        self.fetched: list[str] = []
        self._failures = failures
        self._content = content
        self._lock = threading.Lock()

    def __call__(self, wanted: LockedJar, work_dir: Path) -> Path:
        with self._lock:
            self.fetched.append(wanted.artifact)
            if self._failures:
                self._failures -= 1
                raise ConnectionError("the line is cut\nand more that nobody wants to read")
        path = work_dir / "download.jar"
        path.write_bytes(self._content(wanted))
        return path


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


class TestCache:
    def test_downloads_and_then_works_offline(self, tmp_path: Path) -> None:
        repository = Repository()
        paths = JarCache(tmp_path, repository).ensure([jar("a"), jar("b")])
        assert [path.read_bytes() for path in paths] == [b"a", b"b"]
        assert files(tmp_path) == ["jars/org.example/a-1.0.jar", "jars/org.example/b-1.0.jar"]

        offline = Repository(failures=99)
        assert JarCache(tmp_path, offline).ensure([jar("a"), jar("b")]) == paths
        assert offline.fetched == []

    def test_progress(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        cache = JarCache(tmp_path, Repository())
        cache.ensure([jar("a")])
        cache.ensure([jar("a"), jar("b"), jar("c")], lambda done, total: seen.append((done, total)))
        assert seen == [(2, 3), (3, 3)]

    def test_damaged_jar_is_downloaded_again(self, tmp_path: Path) -> None:
        path = JarCache(tmp_path, Repository()).ensure([jar("a")])[0]
        path.write_bytes(b"A")
        repository = Repository()
        JarCache(tmp_path, repository).ensure([jar("a")])
        assert (path.read_bytes(), repository.fetched) == (b"a", ["a"])

    def test_checksum_mismatch_installs_nothing(self, tmp_path: Path) -> None:
        evil = Repository(content=lambda _: b"evil")
        wanted = jar("a")
        with pytest.raises(LocalBrokerError) as caught:
            JarCache(tmp_path, evil).ensure([wanted])
        found = hashlib.sha256(b"evil").hexdigest()
        assert str(caught.value).startswith(
            f"checksum mismatch: org.example:a:1.0 has SHA-256 {found}, the lock file says {wanted.sha256}; "
            "it was not installed."
        )
        assert caught.value.exit_code == 3
        assert files(tmp_path) == []

    def test_short_outage_is_survived(self, tmp_path: Path) -> None:
        repository = Repository(failures=2)
        JarCache(tmp_path, repository).ensure([jar("a")])
        assert repository.fetched == ["a", "a", "a"]

    def test_no_network(self, tmp_path: Path) -> None:
        with pytest.raises(LocalBrokerError) as caught:
            JarCache(tmp_path, Repository(failures=3)).ensure([jar("a")])
        assert str(caught.value) == (
            "cannot download org.example:a:1.0 from Maven Central: the line is cut. "
            "The first start of the local broker needs the network; later ones do not"
        )
        assert files(tmp_path) == []

    def test_several_at_once_download_once(self, tmp_path: Path) -> None:
        repository = Repository()
        jars = [jar(name) for name in "abcdef"]
        barrier = threading.Barrier(4)
        results: list[list[bytes]] = []

        def start() -> None:
            barrier.wait()
            results.append([path.read_bytes() for path in JarCache(tmp_path, repository).ensure(jars)])

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [[name.encode() for name in "abcdef"]] * 4
        assert sorted(repository.fetched) == list("abcdef")

    def test_cache_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "jars").write_text("in the way")
        with pytest.raises(LocalBrokerError, match="set XDG_CACHE_HOME to a folder that you may write"):
            JarCache(tmp_path, Repository()).ensure([jar("a")])

    def test_place(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert default_cache_dir() == tmp_path / "reconstream"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert default_cache_dir() == tmp_path / "home" / ".cache" / "reconstream"


class TestLockFile:
    def test_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "jars.lock"
        path.write_text(f"# comment\n\n{jar('a').line()}\n{jar('b').line()}\n")
        assert read_lock(path) == (jar("a"), jar("b"))

    def test_bad_line(self, tmp_path: Path) -> None:
        path = tmp_path / "jars.lock"
        path.write_text(f"{jar('a').line()}\nabc  org.example:b:1.0\n")
        with pytest.raises(ValueError) as caught:
            read_lock(path)
        assert str(caught.value) == (
            "jars.lock, line 2: expected 'sha256  group:artifact:version', found 'abc  org.example:b:1.0'"
        )

    def test_path_never_leaves_the_cache(self, tmp_path: Path) -> None:
        path = tmp_path / "jars.lock"
        path.write_text(f"{'0' * 64}  ../..:b:1.0\n")
        with pytest.raises(ValueError, match="line 1"):
            read_lock(path)

    def test_ours_names_jars_and_no_hosts(self) -> None:
        jars = read_lock()
        assert kafka_version(jars) == relock.KAFKA_VERSION
        assert ("org.apache.logging.log4j", "log4j-slf4j-impl", relock.LOG4J_VERSION) in {
            (found.group, found.artifact, found.version) for found in jars
        }
        assert len({found.relative_path for found in jars}) == len(jars) > 40
        assert not re.search(r"://|@|\.(com|org)/", LOCK_FILE.read_text())
