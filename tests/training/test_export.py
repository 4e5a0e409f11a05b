from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.preprocessing import StandardScaler

from recsys.data.splits import SplitConfig
from recsys.model.user_encoder import UserEncoder
from recsys.ranker.bundle import load, save
from recsys.training import export, judge
from recsys.training.loop import Trainer
from recsys.training.objective import FairnessConfig
from tests.training.conftest import corpus_of

NOW = datetime(2026, 5, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def exported(corpus, tiny_dataset, tiny_config, tmp_path_factory, group, cpu):
    trainer = Trainer(corpus, tiny_config, tmp_path_factory.mktemp("run"), cpu)
    bundle, aware = export.bundle(trainer, corpus, tiny_dataset, tiny_config, now=NOW)
    return trainer, bundle, aware


def test_a_bundle_is_whole_and_survives_the_disk(exported, tmp_path):
    _, bundle, _ = exported
    save(bundle, tmp_path / "bundle")
    again = load(tmp_path / "bundle")
    assert again.manifest == bundle.manifest
    np.testing.assert_array_equal(again.readers.vectors, bundle.readers.vectors)


def test_the_bundled_encoder_gives_the_bundled_vectors(exported):
    _, bundle, _ = exported
    encoder = UserEncoder(**bundle.manifest.user_encoder).eval()
    encoder.load_state_dict(safetensors.torch.load(bundle.encoder))
    readers = bundle.readers
    clicks = readers.clicks[readers.offsets[3] : readers.offsets[4]][-bundle.manifest.max_history :]
    history = torch.from_numpy(clicks.astype(np.int64))[None]
    news = torch.from_numpy(bundle.catalogue.read_vectors.astype(np.float32))
    with torch.no_grad():
        vector = encoder(news, history, torch.ones_like(history, dtype=torch.bool))
    np.testing.assert_allclose(vector.half().numpy()[0], readers.vectors[3], atol=2e-3)


def test_bundled_news_are_read_for_what_they_count(exported, corpus, tiny_dataset, tiny_config):
    trainer, plain, _ = exported
    counts = torch.linspace(0.5, 1.5, len(corpus.log.news_ids))
    features = corpus.news.features._replace(evenness=counts)
    uneven = replace(corpus, news=replace(corpus.news, features=features))
    bundle, _ = export.bundle(trainer, uneven, tiny_dataset, tiny_config, now=NOW)
    np.testing.assert_array_equal(bundle.catalogue.vectors, plain.catalogue.vectors)
    wanted = plain.catalogue.read_vectors.astype(np.float32) * counts.numpy()[:, None]
    np.testing.assert_allclose(bundle.catalogue.read_vectors, wanted, rtol=1e-3)
    assert not np.array_equal(bundle.readers.vectors, plain.readers.vectors)


def test_bias_aware_vectors_know_of_news_what_stands_aside(exported, corpus, tiny_config, cpu):
    trainer, bundle, aware = exported
    model, readers = trainer.model, bundle.readers
    clicks = readers.clicks[readers.offsets[3] : readers.offsets[4]][-bundle.manifest.max_history :]
    history = torch.from_numpy(clicks.astype(np.int64))[None]
    news = judge.encode_all(model.aside, corpus)
    news = news + torch.from_numpy(bundle.catalogue.read_vectors.astype(np.float32))
    with torch.no_grad():
        vector = model.bias_aware(news, history, torch.ones_like(history, dtype=torch.bool))
    np.testing.assert_allclose(vector.numpy()[0], aware[3], atol=2e-3)


def test_nothing_of_the_bias_aware_part_is_in_the_encoder(exported):
    trainer, bundle, _ = exported
    names = set(safetensors.torch.load(bundle.encoder))
    assert names == set(trainer.model.bias_free.state_dict())


def test_the_bias_aware_part_knows_what_the_bias_free_one_was_kept_from(
    corpus, tiny_dataset, tiny_config, tmp_path, cpu
):
    spoken = tiny_config.model_copy(update={"fairness": FairnessConfig(balance=20.0)})
    trainer = Trainer(corpus, spoken, tmp_path, cpu)
    trainer.run(lambda progress, size, loss: False)
    bundle, aware = export.bundle(trainer, corpus, tiny_dataset, spoken, now=NOW)
    groups = np.arange(len(aware)) % 2  # gender goes with the number of the reader

    def gap(vectors):
        units = StandardScaler().fit_transform(vectors.astype(np.float64))
        return np.abs(units[groups == 1].mean(axis=0) - units[groups == 0].mean(axis=0)).max()

    assert gap(aware) > 1.5 * gap(bundle.readers.vectors)


def test_fresher_clicks_count_more_in_popularity(exported, corpus):
    _, bundle, _ = exported
    log = corpus.log
    age = log.shown.time.max() - log.shown.time[log.clicks.slate]
    row = 4
    expected = np.exp2(-age[log.clicks.news == row] / 86_400).sum()
    assert bundle.catalogue.popularity[row] == pytest.approx(expected, rel=1e-5)


def test_clicks_that_the_log_only_remembers_are_not_fresh(corpus):
    log, first = corpus.log, corpus.log.clicks.news[0]
    forgotten = log.clicks.slate.copy()
    forgotten[log.clicks.news == first] = -1
    clicks = replace(log.clicks, slate=forgotten)
    assert export._popularity(replace(log, clicks=clicks), 1.0)[first] == 0


def test_popularity_to_beat_is_that_of_training_clicks(tiny_dataset, tiny_config):
    wanted = tiny_config.model_copy(update={"split": SplitConfig(protocol="next_click")})
    known = corpus_of(tiny_dataset, wanted)
    answers = SimpleNamespace(ask=lambda questions: np.zeros(len(questions.reader)))
    found = export.measure(answers, known)["popularity_ndcg@10"]
    expected = judge.answer_by_popularity(known.log, known.split.test, known.split.train)
    np.testing.assert_array_equal(found, expected)


def test_offline_files_follow_the_bundles_order(exported, corpus, tmp_path):
    trainer, bundle, aware = exported
    events = export.measure(trainer, corpus)
    export.save_offline(tmp_path / "offline", corpus, events, aware)
    roles = pd.read_parquet(tmp_path / "offline" / "readers.parquet")
    assert list(roles["user_id"]) == list(bundle.readers.ids)
    assert (roles["attribute_role"] == "fit").to_numpy().tolist() == corpus.attributes.fit.tolist()
    assert aware.shape == bundle.readers.vectors.shape


def test_summary_counts_readers_and_not_their_events():
    events = {"ndcg@10": [0.5, 0.7, 0.9], "popularity_ndcg@10": [0.4, 0.6, 0.5]}
    found = export.summary(pd.DataFrame({"user_id": ["a"] * 3, **events}), np.random.default_rng(0))
    means = {"ndcg@10": 0.7, "popularity_ndcg@10": 0.5, "gain_ndcg@10": 0.2}
    assert {name: one["mean"] for name, one in found.items()} == pytest.approx(means)
    assert all(np.isnan([one["low"], one["high"]]).all() for one in found.values())


def test_summary_pairs_the_gain_event_by_event():
    events = pd.DataFrame(
        {
            "user_id": ["a", "b", "c"],
            "ndcg@10": [0.5, 0.7, 0.9],
            "popularity_ndcg@10": [0.4, 0.6, 0.8],
        }
    )
    gain = export.summary(events, np.random.default_rng(0))["gain_ndcg@10"]
    assert gain["low"] == pytest.approx(0.1)
    assert gain["high"] == pytest.approx(0.1)
