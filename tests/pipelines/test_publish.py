import json
from contextlib import contextmanager

import numpy as np
import pytest
from redis import Redis
from safetensors.numpy import save as save_arrays

from pipelines.cli import run
from recsys.fairness.attackers import ATTACKERS, QUICK
from recsys.ranker.bundle import Catalogue, Manifest, load, save
from recsys.ranker.query import Query
from recsys.ranker.ranker import Ranker
from recsys.store.connect import open_store
from tests.ranker import worlds


@contextmanager
def opened(url):
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def url(tmp_path):
    """A store that stays open for the whole test, so that each command joins its server."""
    url = f"embedded://{tmp_path}/store"
    with opened(url):
        yield url


@pytest.fixture
def trained(tmp_path):
    save(worlds.bundle(), tmp_path / "run" / "bundle")
    return tmp_path / "run"


def audited(run, verdict, model_hash=None, attackers=tuple(ATTACKERS)):
    audit = {
        "verdict": verdict,
        "model": {"model_hash": model_hash or load(run / "bundle").manifest.model_hash},
        "settings": {"leakage": {"attackers": attackers}},
    }
    (run / "audit.json").write_text(json.dumps(audit))


def publish(run_folder, url, *options):
    return run(["publish", str(run_folder), "--redis", url, *options])


def test_what_is_published_can_be_ranked_with(trained, url):
    bundle = worlds.bundle()
    assert publish(trained, url) == 0
    with opened(url) as store:
        version = store.live()
        meta, news = store.meta(version), Catalogue.from_bytes(store.news(version))
        ranker = Ranker.load(
            news, Manifest.model_validate_json(meta.manifest), store.encoder(version)
        )
        vector = store.vectors(meta, ["u1"])["u1"][0]
        clicked = store.histories(["u1"])["u1"]
    np.testing.assert_array_equal(vector, bundle.readers.vectors[1])
    assert clicked == [f"n{row}" for row in bundle.readers.clicks[2:4]]
    slate = ranker.rank([Query(vector, 3)], np.random.default_rng(0))[0]
    scores = bundle.catalogue.vectors.astype(float) @ vector.astype(float)
    np.testing.assert_array_equal(slate.rows, np.argsort(-scores)[:3])


def test_json_is_one_object_with_counts(trained, url, capsys):
    audited(trained, "pass")
    assert publish(trained, url, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    digest = worlds.bundle().manifest.model_hash
    assert report["version"] == f"20260501T030000-{digest}"
    assert (report["news"], report["readers"]) == (6, 3)
    assert (report["live"], report["audit_verdict"], report["pruned"]) == (True, "pass", [])
    assert report["bytes"] > 0


@pytest.mark.parametrize("setting", [{"heads": 3}, {"kind": "none"}, {"dropout": 5.0}])
def test_a_model_that_no_service_can_load_is_refused_and_the_live_version_stays(
    trained, url, capsys, setting
):
    assert publish(trained, url) == 0
    other, path = worlds.bundle(seed=1), trained / "bundle" / "manifest.json"
    save(other, trained / "bundle")
    encoder = {**other.manifest.user_encoder, **setting}
    path.write_text(other.manifest.model_copy(update={"user_encoder": encoder}).model_dump_json())
    capsys.readouterr()
    assert publish(trained, url) == 2
    assert "weights and manifest do not fit" in capsys.readouterr().err.splitlines()[-1]
    with opened(url) as store:
        assert [meta.version for meta in store.versions()] == [store.live()]
        assert store.live().endswith(worlds.bundle().manifest.model_hash)


def test_publishing_a_run_again_replaces_its_version(trained, url):
    assert publish(trained, url) == publish(trained, url) == 0
    with opened(url) as store:
        assert len(store.versions()) == 1


def test_a_folder_named_in_brackets_is_told_as_it_is(trained, url, capsys):
    run_folder = trained.rename(trained.parent / "[red]run")
    assert publish(run_folder, url) == 0
    assert "[red]run was not audited" in capsys.readouterr().err


def test_a_run_without_audit_is_published_with_a_warning(trained, url, capsys):
    assert publish(trained, url) == 0
    assert "was not audited" in capsys.readouterr().err


def test_an_audit_can_be_required(trained, url, capsys):
    assert publish(trained, url, "--require-audit") == 3
    assert "there is no audit" in capsys.readouterr().err
    assert publish(trained, url, "--require-audit", "--force") == 0
    assert "was not audited" in capsys.readouterr().err


@pytest.mark.parametrize("verdict", ["fail", "insufficient"])
def test_a_run_that_did_not_pass_is_refused_and_the_live_version_stays(tmp_path, url, verdict):
    save(worlds.bundle(seed=0), tmp_path / "old" / "bundle")
    save(worlds.bundle(seed=1), tmp_path / "new" / "bundle")
    audited(tmp_path / "new", verdict)
    assert publish(tmp_path / "old", url) == 0
    assert publish(tmp_path / "new", url) == 3
    with opened(url) as store:
        assert [meta.version for meta in store.versions()] == [store.live()]
        assert store.live().endswith(worlds.bundle(seed=0).manifest.model_hash)


def test_force_publishes_all_the_same_and_the_verdict_is_kept(trained, url):
    audited(trained, "fail")
    assert publish(trained, url, "--force") == 0
    with opened(url) as store:
        assert store.meta(store.live()).audit_verdict == "fail"


def test_the_audit_of_another_model_is_no_pass(trained, url, capsys):
    audited(trained, "pass", model_hash="00000000")
    assert publish(trained, url) == 3
    assert "is of model 00000000" in capsys.readouterr().err


def test_a_quick_look_is_no_pass(trained, url, capsys):
    audited(trained, "pass", attackers=QUICK)
    assert publish(trained, url) == 3
    assert "quick look, without RBF SVM, gradient boosting" in capsys.readouterr().err


NO_ATTACKERS = {
    "verdict": "pass",
    "model": {"model_hash": "00000000"},
    "settings": {"leakage": {"attackers": None}},
}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"verdict": "maybe"}', '{"verdict": "pass"}', json.dumps(NO_ATTACKERS)]
)
def test_an_audit_that_cannot_be_read_is_named(trained, url, text, capsys):
    (trained / "audit.json").write_text(text)
    assert publish(trained, url) == 2
    assert "audit.json: " in capsys.readouterr().err


def test_no_activate_leaves_the_live_version(tmp_path, url):
    save(worlds.bundle(seed=0), tmp_path / "old" / "bundle")
    save(worlds.bundle(seed=1), tmp_path / "new" / "bundle")
    assert publish(tmp_path / "old", url) == publish(tmp_path / "new", url, "--no-activate") == 0
    with opened(url) as store:
        assert store.live().endswith(worlds.bundle(seed=0).manifest.model_hash)
        assert len(store.versions()) == 2


def test_older_versions_are_deleted(tmp_path, url, capsys):
    for seed in range(3):
        save(worlds.bundle(seed=seed), tmp_path / f"{seed}" / "bundle")
        assert publish(tmp_path / f"{seed}", url, "--keep", "1", "--json") == 0
    with opened(url) as store:
        assert [meta.version for meta in store.versions()] == [store.live()]


def test_an_older_run_that_is_published_without_being_made_live_stays(tmp_path, url):
    for seed in (1, 0):
        save(worlds.bundle(seed=seed), tmp_path / f"{seed}" / "bundle")
    assert publish(tmp_path / "1", url) == 0
    assert publish(tmp_path / "0", url, "--keep", "1", "--no-activate") == 0
    with opened(url) as store:
        assert len(store.versions()) == 2


# -- bad input


def test_a_run_without_bundle_is_named_in_one_line(tmp_path, url, capsys):
    assert publish(tmp_path / "nowhere", url) == 2
    message = capsys.readouterr().err.strip()
    assert "nowhere/bundle/manifest.json: No such file" in message
    assert len(message.splitlines()) == 1


def test_an_unreachable_store_is_named_in_one_line(trained, capsys):
    audited(trained, "pass")
    assert publish(trained, "redis://127.0.0.1:1") == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("recsys: redis://127.0.0.1:1: ")
    assert len(message.splitlines()) == 1


def test_a_damaged_bundle_leaves_the_store_as_it_was(trained, url):
    (trained / "bundle" / "encoder.safetensors").write_bytes(b"nothing")
    assert publish(trained, url) == 2
    with opened(url) as store:
        assert store.versions() == []


# -- what must never leave the offline world


def test_nothing_of_the_offline_folder_reaches_the_store(trained, url):
    """Every value in Redis is searched for the bytes of the bias-aware vectors and attributes."""
    aware = np.random.default_rng(9).standard_normal((3, 4)).astype(np.float16)
    (trained / "offline").mkdir()
    (trained / "offline" / "bias_aware.safetensors").write_bytes(save_arrays({"vectors": aware}))
    (trained / "offline" / "attributes.csv").write_text("u1,nonbinary")
    assert publish(trained, url) == 0
    with Redis(unix_socket_path=str(trained.parent / "store" / "redis.sock")) as client:
        values = [client.get(key) for key in client.scan_iter(_type="string")]
        families = {key.split(b":")[1] for key in client.scan_iter()}
    assert families == {b"live", b"versions", b"v", b"spaces", b"s", b"history"}
    assert any(worlds.bundle().readers.vectors[0].tobytes() in value for value in values)
    for secret in [*(row.tobytes() for row in aware), b"nonbinary"]:
        assert not any(secret in value for value in values)
