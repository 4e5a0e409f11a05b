import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from pipelines import cli
from pipelines.audit import audit
from pipelines.auditing.settings import AuditConfig
from recsys.data.dataset import Dataset
from recsys.errors import CheckpointError, DataError
from recsys.fairness.leakage import LeakageConfig
from recsys.fairness.verdict import Thresholds
from recsys.ranker import bundle as bundles
from tests.documents import names
from tests.pipelines.audit_world import build

LINEAR = LeakageConfig(attackers=("logistic regression",), num_samples=50)
CONFIG = AuditConfig(
    leakage=LINEAR,
    num_samples=50,
    list_lengths=(5, 10),
    exposure_cuts=(5, 10),
    thresholds=Thresholds(max_leakage=0.75),
)
FAST = [
    "--set=leakage.attackers=['logistic regression']",
    "--set=leakage.num_samples=50",
    "--set=list_lengths=[10]",
    "--set=exposure_cuts=[5]",
]


@pytest.fixture(scope="module")
def fair(tmp_path_factory):
    return build(tmp_path_factory.mktemp("fair"), leaky=False)


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    return build(tmp_path_factory.mktemp("leaky"), leaky=True)


@pytest.fixture(scope="module")
def found(leaky):
    return audit(leaky.run, leaky.dataset, config=CONFIG)


def test_vectors_that_tell_the_gender_fail(found):
    assert found["verdict"] == "fail"
    assert found["leakage"]["gender"]["low"] > 0.9


def test_vectors_that_tell_nothing_pass(fair):
    assert audit(fair.run, fair.dataset, config=CONFIG)["verdict"] == "pass"


def test_too_little_evidence_is_not_a_pass(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=50)
    result = audit(world.run, world.dataset, config=CONFIG)
    assert result["verdict"] == "insufficient"
    assert result["leakage"]["gender"]["auc"] is None
    groups = result["groups"]["gender"]["ndcg@10"]["groups"]
    assert {group["name"] for group in groups if not group["sufficient"]} >= {"F", "M"}


def test_only_readers_whose_attributes_training_never_used_are_attacked(found, leaky):
    stated = [g for i, g in enumerate(leaky.genders) if g is not None and i % 5]
    assert found["leakage"]["gender"]["readers"] == len(stated)


def test_bias_aware_vectors_are_shown_to_carry_the_attribute(fair):
    result = audit(fair.run, fair.dataset, config=CONFIG)
    assert result["leakage"]["gender"]["bias_aware"]["auc"] > 0.9


def test_bias_aware_vectors_that_are_not_finite_are_named_in_one_line(tmp_path, capsys):
    world = build(tmp_path, leaky=False, num_readers=20)
    path = world.run / "offline" / "bias_aware.safetensors"
    aware = load_file(path)["vectors"]
    aware[3, 2] = np.nan
    save_file({"vectors": aware}, path)
    assert cli.run(["audit", str(world.run), str(world.dataset)]) == 2
    assert capsys.readouterr().err == f"recsys: {path}: vectors are not all finite\n"


def test_lists_give_away_what_vectors_do(found):
    leaks = found["lists"]["gender"]["leakage"]["without_seen_filter"]
    assert leaks["news"]["10"]["auc"] > 0.7
    distances = found["lists"]["gender"]["dp_js"]["10"]
    assert distances["distance"] > 2 * distances["floor"]


def test_the_same_ranking_for_everybody_less_what_was_seen_tells_who_saw_what(found):
    lists = found["lists"]["gender"]
    assert lists["leakage"]["non_personalised"]["news"]["10"]["auc"] > 0.7
    distances = lists["dp_js_non_personalised"]["10"]
    assert distances["distance"] > 2 * distances["floor"]


def test_lists_before_the_test_tell_groups_apart_and_may_show_what_it_asks_for(found):
    lists = found["lists"]["gender"]
    before = lists["dp_js_before_test"]["10"]
    assert before["distance"] > 2 * before["floor"]
    assert before != lists["dp_js"]["10"]


def test_readers_without_a_gender_are_a_group_of_ranking_quality(found, leaky):
    groups = {g["name"]: g for g in found["groups"]["gender"]["ndcg@10"]["groups"]}
    assert groups["not stated"]["readers"] == leaky.genders.count(None)


def test_click_rate_is_that_of_held_out_slates(found):
    groups = found["groups"]["gender"]["click_rate"]["groups"]
    assert [group["mean"] for group in groups if group["sufficient"]] == [0.25, 0.25]


def test_exposure_sums_to_one_over_providers_and_topics(found):
    for kind in ("provider", "category"):
        owners = found["exposure"][kind]["owners"]
        assert sum(owner["share_of_exposure"] for owner in owners) == pytest.approx(1)
        assert sum(owner["share_of_catalogue"] for owner in owners) == pytest.approx(1)


def test_files_hold_what_is_returned_and_no_reader(found, leaky):
    assert json.loads((leaky.run / "audit.json").read_text()) == found
    page = (leaky.run / "audit.html").read_text()
    assert '"u11"' not in page
    assert ">u11<" not in page


def test_the_keys_are_those_of_its_page(found):
    named = names("audit.md", "key")
    assert {name.partition(".")[0] for name in named} == set(found)


def test_every_number_is_json_of_any_reader(leaky):
    def refuse(name):
        raise AssertionError(name)

    json.loads((leaky.run / "audit.json").read_text(), parse_constant=refuse)


def test_baseline_is_attacked_on_the_same_readers(fair, leaky):
    result = audit(fair.run, fair.dataset, baseline=leaky.run, config=CONFIG)
    gender = result["leakage"]["gender"]
    assert gender["baseline"]["readers"] == gender["readers"]
    assert gender["baseline"]["auc"] > 0.9 > gender["auc"]
    assert result["utility"]["against_baseline"]["events"] == len(fair.genders)


def test_fresh_vectors_that_differ_are_attacked_too(tmp_path, leaky):
    """Published vectors are noise, but the service would encode a history that tells."""
    world = build(tmp_path, leaky=True)
    bundle = bundles.load(world.run / "bundle")
    rng = np.random.default_rng(0)
    bundle.readers.vectors[:] = rng.standard_normal(bundle.readers.vectors.shape)
    bundles.save(bundle, world.run / "bundle")
    result = audit(world.run, world.dataset, config=CONFIG)
    assert result["leakage"]["gender"]["auc"] < 0.75
    assert result["fresh_vectors"]["attacked"]
    assert result["leakage"]["gender"]["fresh"]["auc"] > 0.9
    assert result["verdict"] == "fail"


def test_same_seed_same_audit(leaky, found):
    again = audit(leaky.run, leaky.dataset, config=CONFIG)
    assert {**again, "audited_at": ""} == {**found, "audited_at": ""}


def trained_on(run, sha256):
    lines = "".join(f'"{name}" = "{digest}"\n' for name, digest in sha256.items())
    with (run / "config.toml").open("a") as config:
        config.write(f"[provenance.dataset_sha256]\n{lines}")


def test_a_dataset_the_run_was_not_trained_on_is_refused(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=20)
    known = Dataset.open(world.dataset).info.sha256
    trained_on(world.run, known | {"impressions.parquet": "another"})
    with pytest.raises(DataError, match=r"not the dataset.* \(impressions\.parquet differ\)"):
        audit(world.run, world.dataset, config=CONFIG)


def test_attributes_may_have_become_known_since_training(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=20)
    known = Dataset.open(world.dataset).info.sha256
    trained_on(world.run, known | {"attributes.parquet": "another"})
    assert audit(world.run, world.dataset, config=CONFIG)["verdict"] == "insufficient"


def test_a_run_that_used_everybodys_attributes_cannot_pass(tmp_path):
    world = build(tmp_path, leaky=False)
    path = world.run / "offline" / "readers.parquet"
    pd.read_parquet(path).assign(attribute_role="fit").to_parquet(path)
    result = audit(world.run, world.dataset, config=CONFIG)
    assert result["verdict"] == "insufficient"
    assert "kept from training" in result["reasons"][0]["text"]


def test_run_without_readers_is_named(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=20)
    (world.run / "offline" / "readers.parquet").unlink()
    with pytest.raises(CheckpointError, match=r"readers\.parquet: is missing"):
        audit(world.run, world.dataset, config=CONFIG)


def test_damaged_table_is_named_and_nothing_is_written(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=20)
    (world.run / "offline" / "evaluation.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(CheckpointError, match=r"evaluation\.parquet: cannot be read"):
        audit(world.run, world.dataset, config=CONFIG)
    assert not list(world.run.glob("audit*"))


def test_readers_out_of_order_are_refused(tmp_path):
    world = build(tmp_path, leaky=False, num_readers=20)
    path = world.run / "offline" / "readers.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path)
    with pytest.raises(CheckpointError, match="not the bundle's"):
        audit(world.run, world.dataset, config=CONFIG)


def test_unknown_attribute_is_named(fair):
    config = CONFIG.model_copy(update={"attributes": ("income",)})
    with pytest.raises(DataError, match="attribute 'income' is unknown; expected of gender"):
        audit(fair.run, fair.dataset, config=config)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "leakage.attackers=['bogus']",
            "leakage.attackers: Value error, expected some of logistic",
        ),
        ("leakage.attackers=[]", "leakage.attackers: Tuple should have at least 1 item"),
        ("leakage.level=2", "leakage.level: Input should be less than 1, found 2"),
        (
            "leakage.min_readers=4",
            "leakage.min_readers: Input should be greater than or equal to 5",
        ),
        ("leakage.num_samples=0", "leakage.num_samples: Input should be greater than 0"),
        ("seed=4294967296", "seed: Input should be less than 4294967296"),
        ("list_lengths=[]", "list_lengths: Tuple should have at least 1 item"),
        ("exposure_cuts=[]", "exposure_cuts: Tuple should have at least 1 item"),
        ("exposure_cuts=[1]", "exposure_cuts.0: Input should be greater than or equal to 2"),
        ("exposure_cuts=[5, 3]", "exposure_cuts: Value error, expected ascending numbers"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(fair, capsys, setting, message):
    assert cli.run(["audit", str(fair.run), str(fair.dataset), "--set", setting]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said


def test_an_attribute_is_named_in_any_script(fair, capsys):
    name = "größe 😀"
    assert cli.run(["audit", str(fair.run), str(fair.dataset), "--attribute", name]) == 2
    assert f"attribute '{name}' is unknown; expected of gender" in capsys.readouterr().err


def test_gate_refuses_what_does_not_pass(leaky, capsys):
    assert cli.run(["audit", str(leaky.run), str(leaky.dataset), "--gate", *FAST]) == 3
    assert "verdict is fail" in capsys.readouterr().err


def test_json_is_one_object_on_stdout(leaky, capsys):
    assert cli.run(["audit", str(leaky.run), str(leaky.dataset), "--json", *FAST]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "fail"
    assert {"auc", "low", "high", "attacker", "readers"} <= set(result["leakage"]["gender"])


def test_a_run_audited_from_inside_has_its_name(tmp_path, monkeypatch):
    world = build(tmp_path, leaky=False, num_readers=80)
    monkeypatch.chdir(world.run)
    tree = audit(Path(), world.dataset, config=CONFIG)
    assert tree["model"]["run"] == world.run.name
    assert f"<title>Fairness audit of {world.run.name}:" in Path("audit.html").read_text()


def test_threshold_is_an_option(leaky, capsys):
    options = ["--max-leakage", "1.0", "--json", *FAST]
    assert cli.run(["audit", str(leaky.run), str(leaky.dataset), *options]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"


def test_missing_run_is_the_users_mistake(fair, capsys):
    assert cli.run(["audit", str(fair.run / "nowhere"), str(fair.dataset)]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_clicks_held_out_of_slates_have_no_click_rate(tmp_path):
    world = build(tmp_path, leaky=False, split='protocol = "next_click"')
    result = audit(world.run, world.dataset, config=CONFIG)
    assert result["groups"]["gender"]["click_rate"] is None
    assert result["groups"]["gender"]["ndcg@10"]["groups"]
    assert "No click rates" in (world.run / "audit.html").read_text()


def test_a_baseline_that_was_asked_something_else_is_refused(tmp_path, fair, capsys):
    other = build(tmp_path, leaky=False, split='protocol = "next_click"')
    paths = [str(fair.run), str(fair.dataset), "--baseline", str(other.run)]
    assert cli.run(["audit", *paths, *FAST]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert str(fair.run) in said and str(other.run) in said
    assert "protocol slates and next_click" in said
