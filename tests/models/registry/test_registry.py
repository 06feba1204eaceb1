"""Registries in a directory and behind fsspec: the same tests for both, and what each does on its own."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from models.bundle import Bundle, load_bundle
from models.errors import AliasMovedError, BundleError, RegistryError, RegistryUnavailableError
from models.registry import BundleCache, Registry, open_registry
from models.registry.stores import DirectoryStore, RemoteStore, open_store

pytestmark = pytest.mark.keras

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(params=["directory", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "directory":
        yield str(tmp_path / "registry")
        return
    place = f"memory://registry-{uuid.uuid4().hex}"
    yield place
    files = fsspec.filesystem("memory")
    if files.exists(place):
        files.rm(place, recursive=True)


@pytest.fixture
def registry(address: str) -> Registry:
    return open_registry(address)


@pytest.fixture
def cache(tmp_path: Path) -> BundleCache:
    return BundleCache(tmp_path / "cache")


@pytest.fixture(scope="module")
def others(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """The same model under other dates: other bundles, since the digest is that of the manifest."""
    made = []
    for day in (1, 2, 3):
        path = Path(shutil.copytree(tiny_path, tmp_path_factory.mktemp("others") / "bundle"))
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["created_at"] = f"2026-04-0{day}T00:00:00+00:00"
        (path / "manifest.json").write_text(json.dumps(manifest))
        made.append(load_bundle(path))
    return made


def overwrite(address: str, path: str, data: bytes) -> None:
    open_store(address).write(path, data)


class TestVersions:
    def test_what_was_pushed_is_found_by_version_and_digest(self, registry, others, cache):
        assert registry.push("pumps", others[0], NOW, by="ann", note="first").note == "first"
        registry.push("pumps", others[1], NOW + timedelta(hours=1))
        assert [version.digest for version in registry.versions("pumps")] == [b.digest for b in others[:2]]
        assert registry.names() == ["pumps"]
        for wanted in (others[1].version, others[1].digest, others[1].digest[:8]):
            assert registry.version("pumps", wanted).digest == others[1].digest
        bundle = registry.bundle("pumps", others[0].digest, cache)
        assert (bundle.digest, bundle.read("model.onnx")) == (others[0].digest, others[0].read("model.onnx"))

    def test_pushed_again_nothing_changes(self, registry, others):
        registry.push("pumps", others[0], NOW, by="ann")
        again = registry.push("pumps", others[0], NOW + timedelta(days=1), by="bob")
        assert (again.by, again.pushed_at) == ("ann", "2026-05-06T07:08:09.000+00:00")
        assert len(registry.versions("pumps")) == 1

    def test_a_version_without_its_record_is_not_there(self, registry, address, others):
        registry.push("pumps", others[0], NOW)
        overwrite(address, f"pumps/versions/{others[1].digest}/manifest.json", b"{}")
        assert [version.digest for version in registry.versions("pumps")] == [others[0].digest]
        registry.push("pumps", others[1], NOW)
        assert len(registry.versions("pumps")) == 2

    def test_what_is_not_there_is_named_with_a_remedy(self, registry, address, others):
        with pytest.raises(RegistryError, match=r"there is no registry at .*; correct the address, or begin one with"):
            registry.names()
        registry.push("pumps", others[0], NOW)
        with pytest.raises(RegistryError, match="has no model 'fans'; it has: pumps"):
            registry.version("fans", "champion")
        with pytest.raises(RegistryError, match="pumps has no version 0123456789; see: detector models list"):
            registry.version("pumps", "0123456789")
        with pytest.raises(RegistryError, match=r"has no version gru-20200101-"):
            registry.version("pumps", f"gru-20200101-{others[0].digest[:8]}")
        with pytest.raises(
            RegistryError,
            match=r"neither an alias nor a version 'champion'; its aliases: none yet; its versions: detector",
        ):
            registry.version("pumps", "champion")

    def test_the_holder_of_a_digest(self, registry, others):
        registry.push("fans", others[0], NOW)
        registry.push("pumps", others[1], NOW)
        assert registry.holder(others[1].digest) == "pumps"
        assert registry.holder(others[2].digest) is None
        assert registry.holder("../../etc") is None


class TestHostile:
    @pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", ".hidden", "a\\b", "a\nb", "x" * 101, "é", "-a"])
    def test_names_that_lead_elsewhere(self, registry, others, name):
        with pytest.raises(RegistryError, match="is not the name of a model; use up to 100 letters"):
            registry.push(name, others[0], NOW)
        registry.push("pumps", others[0], NOW)
        with pytest.raises(RegistryError, match="is not an alias; use up to 100 letters"):
            registry.move("pumps", name, registry.versions("pumps")[0], NOW)
        with pytest.raises(RegistryError, match="is not an alias"):
            registry.version("pumps", name)

    @pytest.mark.parametrize("alias", ["0123abcd", "a" * 64, "lstm-20260101-0123abcd"])
    def test_an_alias_that_looks_like_a_version(self, registry, others, alias):
        version = registry.push("pumps", others[0], NOW)
        with pytest.raises(RegistryError, match="looks like a version and cannot be an alias"):
            registry.move("pumps", alias, version, NOW)

    def test_a_record_that_was_tampered_with(self, registry, address, others):
        version = registry.push("pumps", others[0], NOW)
        registry.move("pumps", "champion", version, NOW)
        path = "pumps/aliases/champion/00000001.json"
        move = json.loads(open_store(address).read(path, 10_000) or b"")
        for change, message in (
            ({"digest": "../../../etc"}, "its digest is not a SHA-256"),
            ({"alias": "challenger"}, "it is move 1 of 'challenger'"),
            ({"number": "1"}, "number is '1'; it must be an integer"),
            ({"more": 1}, "the record has unknown keys: more"),
            ({"moved_at": "yesterday"}, "Invalid isoformat string"),
        ):
            overwrite(address, path, json.dumps({**move, **change}).encode())
            with pytest.raises(RegistryError, match=r"is damaged: .*; restore it from a backup") as raised:
                registry.current("pumps", "champion")
            assert message in str(raised.value)
        for data in (b"[]", b"\xff", b"[" * 100_000, b" " * 70_000):
            overwrite(address, path, data)
            with pytest.raises(RegistryError, match="is damaged"):
                registry.current("pumps", "champion")

    def test_another_layout_of_registry(self, registry, address):
        overwrite(address, "registry.json", b'{"schema_version": 7}')
        with pytest.raises(RegistryError, match="of schema version 7, this program reads 1; use the release that"):
            registry.names()
        overwrite(address, "registry.json", b"nothing")
        with pytest.raises(RegistryError, match=r"registry.json is damaged"):
            registry.names()

    def test_a_bundle_that_changed_in_the_registry_is_refused(self, registry, address, others, cache):
        registry.push("pumps", others[0], NOW)
        overwrite(address, f"pumps/versions/{others[0].digest}/model.onnx", b"short")
        with pytest.raises(BundleError, match=r"model.onnx: it has 5 bytes instead of"):
            registry.bundle("pumps", others[0].digest, cache)

    def test_pushed_again_a_damaged_one_is_mended_and_keeps_its_record(self, registry, address, others, cache):
        registry.push("pumps", others[0], NOW, by="ann")
        overwrite(address, f"pumps/versions/{others[0].digest}/model.onnx", b"short")
        assert registry.push("pumps", others[0], NOW + timedelta(days=1), by="bob").by == "ann"
        assert registry.bundle("pumps", others[0].digest, cache).read("model.onnx") == others[0].read("model.onnx")

    def test_another_bundle_in_place_of_the_one_that_was_pushed(self, registry, address, others, cache):
        registry.push("pumps", others[0], NOW)
        manifest = (others[1].path / "manifest.json").read_bytes()
        overwrite(address, f"pumps/versions/{others[0].digest}/manifest.json", manifest)
        with pytest.raises(BundleError, match=r"(its checksum is not|holds another bundle)"):
            registry.bundle("pumps", others[0].digest, cache)


class TestAliases:
    def test_an_alias_moves_and_its_history_stays(self, registry, others):
        first, second = (registry.push("pumps", bundle, NOW) for bundle in others[:2])
        assert registry.current("pumps", "champion") is None
        registry.move("pumps", "champion", first, NOW, by="ann", note="first model")
        registry.move("pumps", "champion", second, NOW + timedelta(days=1), by="bob", note="finds leaks")
        registry.move("pumps", "challenger", first, NOW)
        assert registry.version("pumps", "champion") == second
        assert {alias: move.digest for alias, move in registry.aliases("pumps").items()} == {
            "champion": second.digest,
            "challenger": first.digest,
        }
        history = [(m.number, m.digest, m.by, m.note, m.moved_at[:10]) for m in registry.moves("pumps", "champion")]
        assert history == [
            (1, first.digest, "ann", "first model", "2026-05-06"),
            (2, second.digest, "bob", "finds leaks", "2026-05-07"),
        ]

    def test_moved_to_where_it_is_nothing_happens(self, registry, others):
        version = registry.push("pumps", others[0], NOW)
        move = registry.move("pumps", "champion", version, NOW)
        assert registry.move("pumps", "champion", version, NOW + timedelta(days=1)) == move

    def test_removed_it_names_nothing_but_its_history_stays(self, registry, others):
        version = registry.push("pumps", others[0], NOW)
        with pytest.raises(RegistryError, match="has no alias challenger; there is nothing to remove"):
            registry.move("pumps", "challenger", None, NOW)
        registry.move("pumps", "challenger", version, NOW)
        assert registry.move("pumps", "challenger", None, NOW).digest is None
        assert registry.aliases("pumps") == {}
        with pytest.raises(RegistryError, match="has neither an alias nor a version 'challenger'"):
            registry.version("pumps", "challenger")
        assert len(registry.moves("pumps", "challenger")) == 2

    def test_the_second_of_two_movers_is_told(self, address, others):
        mine, theirs = open_registry(address), open_registry(address)
        first, second = (mine.push("pumps", bundle, NOW) for bundle in others[:2])
        mine.move("pumps", "champion", first, NOW)
        read_before = theirs._log.numbers("pumps", "champion")  # what a mover saw that was held up after looking
        mine.move("pumps", "champion", second, NOW)
        theirs._log.numbers = lambda name, alias: read_before  # type: ignore[method-assign]
        with pytest.raises(AliasMovedError, match=r"somebody else moved champion of .*/pumps at this moment"):
            theirs.move("pumps", "champion", registry_version(mine, others[1]), NOW)
        assert len(mine.moves("pumps", "champion")) == 2

    def test_a_move_that_expects_another_state_is_not_made(self, registry, others):
        first, second = (registry.push("pumps", bundle, NOW) for bundle in others[:2])
        registry.move("pumps", "champion", first, NOW, by="ann")
        with pytest.raises(AliasMovedError, match=rf"names {first.version}, moved by ann, not {second.digest[:8]}…"):
            registry.move("pumps", "champion", second, NOW, expected=second.digest)
        assert registry.move("pumps", "champion", second, NOW, expected=first.digest).number == 2

    def test_an_alias_of_what_was_removed_by_hand(self, registry, address, others):
        version = registry.push("pumps", others[0], NOW)
        registry.push("pumps", others[1], NOW)
        registry.move("pumps", "champion", version, NOW)
        store = open_store(address)
        if isinstance(store, DirectoryStore):
            (store.root / f"pumps/versions/{version.digest}.json").unlink()
        else:
            fsspec.filesystem("memory").rm(f"{address}/pumps/versions/{version.digest}.json")
        with pytest.raises(RegistryError, match=r"names .*, which is not there; push it again, or move the alias"):
            registry.version("pumps", "champion")


def registry_version(registry: Registry, bundle: Bundle):
    # Another content than the last move's, so that the move is made.
    version = registry.version("pumps", bundle.digest)
    return type(version)(**{**{f: getattr(version, f) for f in version.__slots__}, "digest": "f" * 64})


class TestStores:
    def test_a_registry_that_is_gone_is_no_alias_that_was_removed(self, tmp_path, others):
        registry = open_registry(str(tmp_path / "mounted"))
        version = registry.push("pumps", others[0], NOW)
        registry.move("pumps", "champion", version, NOW)
        assert registry.current("pumps", "champion") is not None
        (tmp_path / "mounted").rename(tmp_path / "elsewhere")
        with pytest.raises(RegistryError, match="there is no registry at"):
            registry.current("pumps", "champion")

    def test_a_directory_is_used_in_place(self, tmp_path, others):
        registry = open_registry(f"registry://{tmp_path}/here")
        registry.push("pumps", others[0], NOW)
        bundle = registry.bundle("pumps", others[0].digest, BundleCache(tmp_path / "never"))
        assert bundle.path == tmp_path / "here" / "pumps" / "versions" / others[0].digest
        assert not (tmp_path / "never").exists()
        assert list((tmp_path / "here" / ".tmp").iterdir()) == []

    def test_a_file_system_without_hard_links(self, tmp_path, monkeypatch):
        def refused(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", refused)
        store = DirectoryStore(tmp_path)
        assert store.create("a/b", b"one")
        assert not store.create("a/b", b"two")
        assert store.read("a/b", 10) == b"one"

    def test_what_cannot_be_written_says_so(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(RegistryUnavailableError, match=r"cannot be written: .*; check the directory, its perm"):
            DirectoryStore(tmp_path / "file").write("a", b"x")

    def test_a_scheme_that_there_is_not(self):
        with pytest.raises(RegistryError, match="nowhere://x is not an address that fsspec knows"):
            open_registry("nowhere://x")

    def test_a_package_that_is_missing_is_named(self):
        with pytest.raises(
            RegistryError, match="s3://bucket/models needs a package that is not installed: Install s3fs"
        ):
            open_registry("s3://bucket/models")

    def test_a_remote_that_fails_says_how_and_tells_no_password(self, monkeypatch):
        class Files:
            protocol = "ftp"

            def cat_file(self, *_: object, **__: object) -> bytes:
                raise ConnectionError("refused")

        monkeypatch.setattr("fsspec.core.url_to_fs", lambda address: (Files(), "/models"))
        store = RemoteStore("ftp://user:secret@host/models")
        with pytest.raises(RegistryUnavailableError, match=r"ftp://host/models/a cannot be read \(ConnectionError: r"):
            store.read("a", 1)

    def test_a_remote_where_both_writers_succeed_tells_the_loser(self, monkeypatch):
        class Files:
            protocol = "ftp"
            content = b""

            def pipe_file(self, path: str, value: bytes, mode: str) -> None:
                self.content = b"another writer's"  # as if it came right after ours

            def cat_file(self, path: str, start: int, end: int) -> bytes:
                return self.content[start:end]

        monkeypatch.setattr("fsspec.core.url_to_fs", lambda address: (Files(), "/models"))
        assert not RemoteStore("ftp://host/models").create("a", b"ours")

    @pytest.mark.parametrize(("protocol", "made"), [("sftp", ["/models/a"]), (("s3", "s3a"), [])])
    def test_a_folder_is_made_where_there_are_folders_and_never_a_bucket(self, monkeypatch, protocol, made):
        found: list[str] = []

        class Files:
            def pipe_file(self, path: str, value: bytes) -> None:
                if not found:
                    raise FileNotFoundError(path)

            def makedirs(self, path: str, exist_ok: bool) -> None:
                found.append(path)

        Files.protocol = protocol  # type: ignore[attr-defined]
        monkeypatch.setattr("fsspec.core.url_to_fs", lambda address: (Files(), "/models"))
        store = RemoteStore("any://models")
        if made:
            store.write("a/b", b"x")
        else:
            with pytest.raises(
                RegistryUnavailableError, match=r"a/b cannot be written \(FileNotFoundError: /models/a/b"
            ):
                store.write("a/b", b"x")
        assert found == made


class TestCache:
    @pytest.fixture
    def remote(self) -> Iterator[Registry]:
        place = f"memory://remote-{uuid.uuid4().hex}"
        yield open_registry(place)
        fsspec.filesystem("memory").rm(place, recursive=True)

    def test_a_copy_is_used_again_without_the_registry(self, remote, others, tmp_path):
        remote.push("pumps", others[0], NOW)
        cache = BundleCache(tmp_path / "cache")
        first = remote.bundle("pumps", others[0].digest, cache)
        assert first.path == tmp_path / "cache" / others[0].digest
        overwrite(remote.address, f"pumps/versions/{others[0].digest}/manifest.json", b"gone")
        assert remote.bundle("pumps", others[0].digest, cache).digest == others[0].digest

    def test_a_damaged_copy_is_made_anew(self, remote, others, tmp_path):
        remote.push("pumps", others[0], NOW)
        cache = BundleCache(tmp_path / "cache")
        remote.bundle("pumps", others[0].digest, cache)
        (tmp_path / "cache" / others[0].digest / "model.onnx").write_bytes(b"damaged")
        assert cache.find(others[0].digest) is None
        assert remote.bundle("pumps", others[0].digest, cache).read("model.onnx") == others[0].read("model.onnx")

    def test_what_was_not_used_for_longest_goes_first(self, remote, others, tmp_path):
        import os

        cache = BundleCache(tmp_path / "cache", kept=2)
        for age, bundle in ((100, others[0]), (200, others[1]), (0, others[2])):
            remote.push("pumps", bundle, NOW)
            path = remote.bundle("pumps", bundle.digest, cache).path
            os.utime(path, (1e9 - age, 1e9 - age))
        left = {path.name for path in (tmp_path / "cache").iterdir()}
        assert left == {others[0].digest, others[2].digest}

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ({"evil.sh": {"bytes": 3}}, "lists 'evil.sh' of 3 bytes, which is no part of a bundle"),
            ({"../../x": {"bytes": 3}}, r"lists '\.\./\.\./x' of 3 bytes"),
            ({"model.onnx": {"bytes": 1 << 40}}, "lists 'model.onnx' of 1,099,511,627,776 bytes"),
            ({"model.onnx": {"bytes": 3}}, r"model\.onnx is missing"),
            ([], "cannot be read"),
        ],
    )
    def test_a_hostile_manifest_makes_nothing_of_its_own(self, remote, others, tmp_path, files, message):
        import hashlib

        manifest = json.dumps({"files": files}).encode()
        digest = hashlib.sha256(manifest).hexdigest()
        remote.push("pumps", others[0], NOW)
        overwrite(remote.address, f"pumps/versions/{digest}/manifest.json", manifest)
        with pytest.raises(BundleError, match=message):
            remote.bundle("pumps", digest, BundleCache(tmp_path / "cache"))
        assert list((tmp_path / "cache").iterdir()) == []

    def test_what_a_reference_last_named(self, tmp_path):
        cache = BundleCache(tmp_path / "cache")
        assert cache.remembered("s3://b/pumps@champion") is None
        cache.remember("s3://b/pumps@champion", "a" * 64)
        assert cache.remembered("s3://b/pumps@champion") == "a" * 64
        assert cache.remembered("s3://b/fans@champion") is None
        cache.remember("s3://b/pumps@champion", "../up")
        assert cache.remembered("s3://b/pumps@champion") is None

    def test_a_cache_that_cannot_be_written(self, remote, others, tmp_path):
        (tmp_path / "cache").write_text("in the way")
        remote.push("pumps", others[0], NOW)
        with pytest.raises(RegistryError, match=r"cannot be written: .*registry.cache_directory"):
            remote.bundle("pumps", others[0].digest, BundleCache(tmp_path / "cache"))
