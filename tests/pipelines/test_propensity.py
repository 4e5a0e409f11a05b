import json
import os
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from pipelines import cli, propensity_report
from recsys.data.writer import DatasetWriter
from recsys.evaluation.bootstrap import mean_interval
from recsys.simulation.clicks import relevance
from recsys.simulation.truth import Truth

RNG = np.random.default_rng(0)


def propensity(dataset, out, *options):
    return cli.run(["propensity", str(dataset), str(out), *options])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "dataset"
    size = ["--readers", "1500", "--news", "150", "--days", "2", "--slates-per-reader", "14"]
    assert cli.run(["simulate", str(out), *size, "--seed", "3"]) == 0
    return out


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """Readers of one sex rate news of one kind; a few ratings are by chance."""
    out = tmp_path_factory.mktemp("rated") / "dataset"
    readers, news = np.divmod(np.arange(60 * 40), 40)
    value = 1.0 + (readers + news) % 5
    chosen = RNG.random(2400) < np.where(readers % 2 == news % 2, 0.4, 0.1)
    by_chance = ~chosen & (RNG.random(2400) < 0.2)
    kept = chosen | by_chance
    with DatasetWriter(out, "test") as writer:
        writer.news(_table(news_id=map(str, range(40)), title=[""] * 40, category=["a", "b"] * 20))
        writer.attributes(_table(user_id=map(str, range(60)), sex=["f", "m"] * 29 + [None] * 2))
        writer.ratings(
            _table(
                user_id=readers[kept].astype(str),
                news_id=news[kept].astype(str),
                value=value[kept].astype(np.float32),
                randomised=by_chance[kept],
            )
        )
    return out


def _table(**columns):
    return pa.table({name: list(values) for name, values in columns.items()})


def read(out):
    return pd.read_parquet(out / "weights.parquet"), json.loads(
        (out / "diagnostics.json").read_text()
    )


def test_weights_are_aligned_with_the_impressions(world, tmp_path):
    out = tmp_path / "out"
    assert propensity(world, out, "--method", "rate", "--method", "harvesting") == 0
    weights, _ = read(out)
    log = pd.read_parquet(world / "impressions.parquet")
    assert weights["slate_id"].equals(log["slate_id"])
    assert weights["news_id"].tolist() == log["news_id"].tolist()
    assert np.allclose(weights["weight"], 1 / weights["propensity"])
    assert weights["propensity"].between(0, 1).all()
    assert weights["imputed"].between(0, 1).all()


@pytest.mark.parametrize("method", ["harvesting", "em"])
def test_examination_comes_close_to_the_truth(world, tmp_path, method):
    assert propensity(world, tmp_path / "out", "--method", method) == 0
    curve = read(tmp_path / "out")[1]["notes"][method]["curve"]
    truth = pq.read_table(world / "truth/examination.parquet")["examination"].to_numpy()
    assert curve == pytest.approx(truth / truth[0], rel=0.15)


def test_exposure_ranks_like_the_truth(world, tmp_path):
    truth = pd.read_parquet(world / "truth/impressions.parquet")
    for method, column in (("rate", "inclusion"), ("visits", "exposure")):
        assert propensity(world, tmp_path / method, "--method", method) == 0
        found = read(tmp_path / method)[0]["propensity"]
        assert spearmanr(found, truth[column]).statistic > 0.85


def test_logged_propensities_are_taken_as_they_are(world, tmp_path):
    assert propensity(world, tmp_path / "out", "--method", "logged", "--set", "floor=1e-9") == 0
    log = pd.read_parquet(world / "impressions.parquet")
    assert np.allclose(read(tmp_path / "out")[0]["propensity"], log["propensity"])


def test_weighted_clicks_tell_what_even_slates_would_earn_and_plain_clicks_do_not(world, tmp_path):
    out = tmp_path / "out"
    assert propensity(world, out, "--method", "rate", "--method", "harvesting") == 0
    weights, about = read(out)
    curve = np.array(about["notes"]["harvesting"]["curve"])
    log = pd.read_parquet(world / "impressions.parquet")
    hours = log["time"].dt.floor("h")
    live = log["news_id"].groupby(hours).transform("nunique")
    terms = log["clicked"] * weights["weight"] * curve.mean() / live
    slates = log.assign(ips=terms, plain=log["clicked"] / len(curve)).groupby("slate_id")
    sums = slates[["ips", "plain"]].sum()
    readers = slates["user_id"].first().to_numpy()
    truth = uniform_click_rate(Truth.load(world), log)
    estimate, naive = (
        mean_interval(sums[name].to_numpy(), readers, rng=np.random.default_rng(0))
        for name in ("ips", "plain")
    )
    assert estimate.low < truth < estimate.high
    assert not naive.low < truth < naive.high


def uniform_click_rate(truth, log):
    """Click rate of slates drawn evenly from what is alive and the reader has not clicked yet."""
    hours = ((log["time"] - pd.Timestamp(truth.config.start)) // pd.Timedelta("1h")).to_numpy()
    readers = truth.readers.get_indexer(log["user_id"])
    clicked = log["clicked"].to_numpy()
    clicks = np.full((len(truth.readers), len(truth.news)), np.inf)  # hour of the click
    items = truth.news.get_indexer(log["news_id"])
    clicks[readers[clicked], items[clicked]] = hours[clicked]
    slates = log["slate_id"].drop_duplicates().index
    means = []
    for hour in np.unique(hours):
        alive = np.flatnonzero(truth.unseen[:, hour] < 0)
        visitors = readers[slates][hours[slates] == hour]
        logits = truth.appeal[alive] + truth.tastes[visitors] @ truth.points[alive].T
        left = clicks[np.ix_(visitors, alive)] >= hour
        liked = relevance(logits, truth.config.noise)
        means.append((liked * left).sum(axis=1) / left.sum(axis=1))
    return np.concatenate(means).mean() * truth.examination.mean()


@pytest.mark.parametrize("method", ["popularity", "naive-bayes", "logistic", "factorised"])
def test_every_exposure_model_weighs_ratings(rated, tmp_path, method):
    assert propensity(rated, tmp_path / "out", "--method", method) == 0
    weights, about = read(tmp_path / "out")
    ratings = pd.read_parquet(rated / "ratings.parquet").query("not randomised")
    assert weights["user_id"].tolist() == ratings["user_id"].tolist()
    assert weights["news_id"].tolist() == ratings["news_id"].tolist()
    assert 0 < about["effective_sample_size"] <= about["observations"] == len(ratings)


def test_kernel_balancing_lowers_the_mmd_and_every_large_difference(rated, tmp_path, capsys):
    options = ("--set", "covariates=attributes", "--set", "kernel.choice=worst-case", "--json")
    assert propensity(rated, tmp_path / "out", "--method", "kernel", *options) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["mmd_after"] < 0.5 * about["mmd_before"]
    assert about["covariates_stood_in_for"] == {"sex": 2}
    assert about == read(tmp_path / "out")[1]


def test_weights_follow_the_choice_of_the_user(rated, tmp_path):
    options = ("--method", "popularity", "--weights", "self-normalised")
    assert propensity(rated, tmp_path / "out", *options) == 0
    assert read(tmp_path / "out")[0]["weight"].mean() == pytest.approx(1, rel=1e-5)


def test_a_low_propensity_is_raised_counted_and_warned_of(rated, tmp_path, capsys):
    assert propensity(rated, tmp_path / "o", "--method", "popularity", "--set", "floor=0.9") == 0
    weights, about = read(tmp_path / "o")
    assert weights["weight"].max() == pytest.approx(1 / 0.9, rel=1e-5)
    assert about["share_clipped"] > 0.01
    assert "raised to it" in capsys.readouterr().err.replace("\n", " ")


def test_the_report_stands_alone_and_names_its_marks(rated, tmp_path):
    assert propensity(rated, tmp_path / "out", "--method", "logistic") == 0
    page = (tmp_path / "out/report.html").read_text()
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("<title>") == 1 + len(
        read(tmp_path / "out")[1]["standardised_mean_differences"]
    ) + len(read(tmp_path / "out")[1]["reliability"]["logistic"])


@pytest.mark.parametrize(("positions", "numbered"), [(10, 10), (18, 18), (100, 17), (300, 18)])
def test_a_curve_has_a_bar_for_each_position_and_numbers_that_do_not_touch(positions, numbered):
    curve = {"curve": [1.0] * positions, "impressions": [5.0] * positions}
    page = propensity_report.render(
        {
            **dict.fromkeys(("dataset", "methods", "warnings"), ""),
            **dict.fromkeys(("readers", "news", "observations", "effective_sample_size"), 5),
            **dict.fromkeys(("largest_weight", "share_clipped"), 0.5),
            "settings": {"weights": "clipped", "floor": 0.1},
            "notes": {"em": curve},
        }
    )
    bars = re.findall(r'<rect class="after"[^>]* width="([^"]*)"', page)
    places = [float(x) for x in re.findall(r'<text x="([^"]*)" y="-6', page)]
    assert len(bars) == positions
    assert min(map(float, bars)) > 0
    assert len(places) == numbered
    assert min(np.diff(places)) >= propensity_report.ROOM


def test_the_same_seed_gives_the_same_bytes(rated, tmp_path):
    for out in ("a", "b"):
        assert propensity(rated, tmp_path / out, "--method", "kernel") == 0
    first, second = ((tmp_path / out / "weights.parquet").read_bytes() for out in ("a", "b"))
    assert first == second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "magic"], "expected one of logged"),
        (["--method", "rate"], "rate needs impressions"),
        (["--method", "logged"], "logged needs impressions"),
        (["--method", "popularity", "--set", "floor=0"], "floor: Input should be greater than 0"),
        (["--method", "popularity", "--set", "flor=1"], "unknown key 'flor'"),
        (["--method", "kernel", "--set", "base=magic"], "base: Input should be '', 'popularity'"),
        (["--method", "rate", "--set", "window_hours=0"], "window_hours: Input should be greater"),
        (["--method", "kernel", "--set", "kernel.functions=0"], "kernel.functions: Input should"),
        (["--method", "kernel", "--set", "kernel.functions=9999"], "expected 1 to"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(rated, tmp_path, capsys, options, message):
    assert propensity(rated, tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_propensities_are_replaced_only_when_forced(rated, tmp_path):
    out = tmp_path / "out"
    assert propensity(rated, out, "--method", "popularity") == 0
    before = read(out)[1]
    assert propensity(rated, out, "--method", "logistic") == 2
    assert read(out)[1] == before
    assert propensity(rated, out, "--method", "logistic", "--force") == 0
    assert read(out)[1]["methods"] == ["logistic"]


def test_a_link_to_a_folder_of_propensities_leads_to_the_new_ones(rated, tmp_path):
    kept, link = tmp_path / "kept", tmp_path / "link"
    assert propensity(rated, kept, "--method", "popularity") == 0
    link.symlink_to(kept)
    assert propensity(rated, link, "--method", "logistic", "--force") == 0
    assert link.is_symlink() and read(kept)[1]["methods"] == ["logistic"]


def test_what_a_killed_process_of_our_number_left_is_in_nobodys_way(rated, tmp_path):
    left = tmp_path / f".out.partial-{os.getpid()}"
    left.mkdir()
    (left / "weights.parquet").write_text("half")
    assert propensity(rated, tmp_path / "out", "--method", "popularity") == 0
    assert not left.exists()


def test_a_method_named_twice_is_told_as_it_counts_once(rated, tmp_path):
    out = tmp_path / "out"
    assert propensity(rated, out, "--method", "popularity", "--method", "popularity") == 0
    assert read(out)[1]["methods"] == ["popularity"]


def test_a_folder_of_something_else_is_never_replaced(rated, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("precious")
    assert propensity(rated, tmp_path / "mine", "--method", "popularity", "--force") == 2
    assert (tmp_path / "mine/notes").read_text() == "precious"


def test_weights_of_ratings_are_not_said_to_be_for_training(world, rated, tmp_path, capsys):
    assert propensity(world, tmp_path / "log", "--method", "logged") == 0
    assert "recsys train" in capsys.readouterr().err
    assert propensity(rated, tmp_path / "ratings", "--method", "popularity") == 0
    assert "recsys train" not in capsys.readouterr().err
