"""``detector models push``, ``list``, ``alias``, ``history`` and ``pull``, as people type them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from detector.cli.common.bundles import BundleSource
from detector.errors import RegistryUnavailableError
from detector.model_address import RegistryReference, model_place, split_model
from detector.settings import RegistrySettings
from models.bundle import load_bundle
from models.registry.stores import open_store
from tests.cli.test_models import change_last_byte
from tests.support.commands import Ended

pytestmark = pytest.mark.keras


def dated(made: Path, target: Path, day: int) -> Path:
    """The same model under another date is another bundle."""
    shutil.copytree(made, target)
    manifest = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps({**manifest, "created_at": f"2026-03-0{day}T00:00:00+00:00"}))
    return target


def test_from_push_to_pull(models, made, tmp_path):
    bundles = [dated(made.path, tmp_path / f"bundle-{day}", day) for day in (1, 2)]
    first, second = (load_bundle(bundle) for bundle in bundles)
    registry = tmp_path / "registry"
    pushed = models("push", bundles[0], registry / "pumps", "--alias", "champion", "--note", "first", "--by", "ann")
    assert (pushed.code, pushed.out) == (0, f"{first.version}\n")
    assert f"champion names {first.version} now" in pushed.err
    assert models("push", bundles[1], f"registry://{registry}/pumps", "--alias", "challenger", "--by", "bob").code == 0

    listed = models("list", registry).out.splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["NAME", "VERSION", "ALIASES"],
        ["pumps", first.version, "champion"],
        ["pumps", second.version, "challenger"],
    ]
    document = json.loads(models("list", f"registry://{registry}", "--json").out)
    assert [(v["digest"], v["aliases"], v["by"], v["note"]) for v in document] == [
        (first.digest, ["champion"], "ann", "first"),
        (second.digest, ["challenger"], "bob", ""),
    ]

    moved = models("alias", registry / "pumps", "champion", "challenger", "--note", "better", "--by", "eve")
    assert (moved.code, moved.out) == (0, f"champion names {second.version} now (move 2 of {registry}/pumps)\n")
    removed = models("alias", registry / "pumps", "challenger", "--remove")
    assert removed.out == f"challenger names nothing now (move 2 of {registry}/pumps)\n"
    history = json.loads(models("history", registry / "pumps", "champion", "--json").out)
    assert [(m["number"], m["version"], m["by"], m["note"]) for m in history] == [
        (1, first.version, "ann", "first"),
        (2, second.version, "eve", "better"),
    ]
    assert "(removed)" in models("history", registry / "pumps").out

    for wanted in ("champion", second.version, second.digest[:10]):
        reference = f"registry://{registry}/pumps@{wanted}"
        assert f"version          {second.version}" in models("show", reference).out
    assert models("verify", f"registry://{registry}/pumps@champion").code == 0
    pulled = models("pull", f"registry://{registry}/pumps@{first.digest[:8]}", tmp_path / "pulled")
    assert pulled.out == f"{tmp_path}/pulled is {first.version}, digest {first.digest}\n"
    assert load_bundle(tmp_path / "pulled").digest == first.digest
    again = models("pull", f"registry://{registry}/pumps@champion", tmp_path / "pulled")
    assert (again.code, again.out) == (4, "")
    assert "pulled exists already; choose another directory, or remove it" in again.err


def test_an_alias_that_is_expected_elsewhere_is_not_moved(models, made, tmp_path):
    first, second = (dated(made.path, tmp_path / f"b{day}", day) for day in (1, 2))
    registry = tmp_path / "registry"
    models("push", first, registry / "pumps", "--alias", "champion")
    models("push", second, registry / "pumps")
    digests = [load_bundle(path).digest for path in (first, second)]
    refused = models("alias", registry / "pumps", "champion", digests[1], "--expect", digests[1])
    assert refused.code == 11
    assert "champion of" in refused.err
    assert f"not {digests[1][:8]}…; look at it again" in refused.err
    assert models("alias", registry / "pumps", "champion", digests[1], "--expect", digests[0]).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "registry://{}/none"], 4, "there is no registry at "),
        (["alias", "{}/r/pumps", "champion"], 2, "give a VERSION that the alias is to name, or --remove"),
        (["alias", "{}/r/pumps", "champion", "x", "--remove"], 2, "give a VERSION"),
        (["alias", "{}/r/../up/..", "champion", "x"], 2, "'..' is not the name of a model"),
        (["alias", "pumps", "champion", "x"], 2, "'pumps' names no registry; write registry://DIRECTORY/NAME"),
        (["history", "nowhere://x/pumps"], 4, "nowhere://x is not an address that fsspec knows"),
        (["history", "s3://bucket/pumps"], 4, "s3fs"),
        (["show", "registry://{}/r/pumps"], 2, "names no alias and no version; write registry://DIRECTORY/NAME@ALIAS"),
        (["pull", "registry://{}/r/pumps@../x", "{}/y"], 2, "names no alias and no version"),
        (["pull", "registry://{}/r/pumps@a\nb", "{}/y"], 2, "is neither an alias nor a version"),
        (["verify", "registry://pumps@champion"], 2, "names no registry"),
    ],
)
def test_what_is_wrong_is_said(models, tmp_path, arguments, code, message):
    ended = models(*(argument.replace("{}", str(tmp_path)) for argument in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err


def test_a_registry_is_not_taken_for_a_model(models, made, tmp_path):
    registry = tmp_path / "models" / "registry"
    assert models("push", made.path, registry / "pumps").code == 0
    before = sorted(tmp_path.rglob("*"))
    refused = models("push", made.path, registry, "--alias", "champion")
    assert (refused.code, refused.out) == (4, "")
    assert f"{registry} is a registry itself; name the model in it, too: {registry}/NAME" in refused.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_history_of_an_alias_that_never_was(models, made, tmp_path):
    assert models("push", made.path, tmp_path / "r" / "pumps", "--alias", "champion").code == 0
    ended = models("history", tmp_path / "r" / "pumps", "chmpion")
    assert (ended.code, ended.out) == (2, "")
    assert "r/pumps never had an alias 'chmpion'; it has or had: champion" in ended.err


def test_a_damaged_bundle_is_not_pushed(models, made, tmp_path):
    bundle = dated(made.path, tmp_path / "bundle", 1)
    change_last_byte(bundle / "model.onnx")
    ended = models("push", bundle, tmp_path / "registry" / "pumps")
    assert ended.code == 4
    assert "its checksum differs from the manifest's" in ended.err
    assert not (tmp_path / "registry").exists()


def test_training_ends_in_the_registry(command, tmp_path):
    rows = "".join(f"{t},{t % 7},{t % 5}\n" for t in range(0, 6_000, 60))
    (tmp_path / "telemetry.csv").write_text("timestamp,cpu,disk\n" + rows)
    common = ["train", str(tmp_path / "telemetry.csv"), "--architecture", "pca"]

    def run(*arguments: object) -> Ended:
        return command(*common, *arguments)

    assert "say which with --push REGISTRY/NAME" in run("--out", tmp_path / "new", "--alias", "x").err
    assert "is not the name of a model" in run("--out", tmp_path / "new", "--push", f"{tmp_path}/r/.x").err
    registry = tmp_path / "registry"
    done = run("--out", tmp_path / "new", "--push", f"registry://{registry}/web", "--alias", "challenger")
    assert done.code == 0, done.err
    source = BundleSource(environment={})
    found = source.open(RegistryReference(f"registry://{registry}", "web", "challenger"))
    assert found.digest == load_bundle(tmp_path / "new").digest


class TestSource:
    @pytest.fixture
    def remote(self, made, models):
        address = f"memory://{made.path.parent.name}"
        models("push", made.path, f"{address}/pumps", "--alias", "champion")
        return RegistryReference(address, "pumps", "champion")

    def test_an_outage_of_the_registry_does_not_keep_the_last_bundle_away(self, remote, tmp_path, monkeypatch):
        settings = RegistrySettings(cache_directory=tmp_path / "cache")
        digest = BundleSource(settings).open(remote).digest

        def down(*_: object, **__: object) -> None:
            raise ConnectionError("down")

        monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", down)
        assert BundleSource(settings).open(remote).digest == digest
        with pytest.raises(RegistryUnavailableError, match=r"cannot be read \(ConnectionError: down\); check the addr"):
            BundleSource(RegistrySettings(cache_directory=tmp_path / "empty")).open(remote)

    def test_a_bundle_is_found_by_its_digest(self, remote, tmp_path, made):
        source = BundleSource(RegistrySettings(cache_directory=tmp_path / "cache"))
        digest = load_bundle(made.path).digest
        found = source.by_digest(digest, [remote.registry])
        assert found is not None
        assert found.digest == digest
        assert source.by_digest("0" * 64, [remote.registry]) is None

    def test_what_a_reference_names(self, remote, tmp_path, made):
        source = BundleSource(RegistrySettings(cache_directory=tmp_path / "cache"))
        digest = load_bundle(made.path).digest
        assert (source.named(remote).digest, source.named(remote).move) == (digest, 1)
        other = RegistryReference(remote.registry, "pumps", "nobody")
        assert source.named(other).digest is None
        assert source.named(RegistryReference(remote.registry, "pumps", digest[:8])).digest == digest
        assert open_store(remote.registry).list("pumps/aliases") == ["champion"]


class TestAddresses:
    def test_what_is_a_directory_and_what_a_reference(self):
        assert model_place("models/pumps@may") == Path("models/pumps@may")
        assert model_place("s3://bucket/models/pumps@champion") == RegistryReference(
            "s3://bucket/models", "pumps", "champion"
        )
        assert str(model_place("registry:///srv/models/pumps@v-20260101-0123abcd")) == (
            "registry:///srv/models/pumps@v-20260101-0123abcd"
        )
        assert split_model("/pumps") == ("/", "pumps")

    def test_a_relative_directory_begins_elsewhere_if_it_must(self):
        assert str(RegistryReference("registry://models", "p", "c").below(Path("/etc"))) == "registry:///etc/models/p@c"
        assert str(RegistryReference("registry:///srv", "p", "c").below(Path("/etc"))) == "registry:///srv/p@c"
        assert str(RegistryReference("s3://b", "p", "c").below(Path("/etc"))) == "s3://b/p@c"
