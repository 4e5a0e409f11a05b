"""Weights undo what position does: a topic liked less, but shown above the other, does not win."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from recsys.data.dataset import Dataset
from recsys.data.writer import DatasetWriter
from recsys.model.fairrec import ModelConfig
from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training import judge
from recsys.training.counterfactual import CounterfactualConfig
from recsys.training.loop import Trainer
from recsys.training.objective import FairnessConfig
from recsys.training.seen import Seen
from tests.data.tables import impressions
from tests.training.conftest import corpus_of

READERS, NEWS, SLATES = 60, 20, 3000
LIKED = {"sport": 0.4, "politics": 0.6}
EXAMINED = np.array([1.0, 0.2])

pytestmark = pytest.mark.usefixtures("group")


@pytest.fixture(scope="module")
def biased(tmp_path_factory):
    """Slates of two: sport stands above politics nine times out of ten."""
    rng = np.random.default_rng(0)
    rows, places = [], []
    for slate in range(SLATES):
        news = 2 * rng.integers(NEWS // 2, size=2) + [0, 1]  # even: sport; odd: politics
        news = news if rng.random() < 0.9 else news[::-1]
        for place, each in enumerate(news):
            chance = EXAMINED[place] * LIKED["politics" if each % 2 else "sport"]
            rows.append((slate, f"u{slate % READERS}", f"n{each}", bool(rng.random() < chance)))
            places.append(place)
    path = tmp_path_factory.mktemp("biased") / "dataset"
    with DatasetWriter(path, "tiny") as writer:
        writer.news(
            pa.table(
                {
                    "news_id": [f"n{i}" for i in range(NEWS)],
                    "title": ["a title"] * NEWS,
                    "category": [("sport", "politics")[i % 2] for i in range(NEWS)],
                }
            )
        )
        writer.impressions(impressions(*rows))
    return Dataset.open(path), np.array(places)


@pytest.fixture(scope="module")
def settings(tiny_config):
    news = NewsEncoderConfig(views=("category",), word_dim=8, title_tokens=2, heads=2, hidden=4)
    model = ModelConfig(dim=8, heads=2, hidden=6, dropout=0.0, max_history=6, news=news)
    fairness = FairnessConfig(preset="off")
    return tiny_config.model_copy(update={"model": model, "fairness": fairness})


def preference(corpus, config, folder):
    """Train; how much higher politics scores than sport, for the mean reader."""
    trainer = Trainer(corpus, config, folder, torch.device("cpu"))
    trainer.run(lambda *_: False)
    news = judge.encode_news(trainer.model, corpus)
    readers = np.arange(READERS)
    vectors = judge.encode_readers(
        trainer.model.bias_free,
        news.read,
        corpus.log,
        readers=readers,
        ends=corpus.log.clicks.offsets[1:],
        max_history=6,
    )
    scores = (vectors @ news.ranked.numpy().T).mean(axis=0)
    odd = np.array([int(name[1:]) % 2 for name in corpus.log.news_ids], dtype=bool)
    return scores[odd].mean() - scores[~odd].mean()


def test_plain_clicks_prefer_what_was_shown_above(biased, settings, tmp_path):
    assert preference(corpus_of(biased[0], settings), settings, tmp_path) < 0


@pytest.mark.parametrize(("estimator", "clip"), [("ips", 20), ("snips", 20), ("dr", 1.5)])
def test_weighted_clicks_prefer_what_is_liked(biased, settings, tmp_path, estimator, clip):
    dataset, places = biased
    propensity = EXAMINED[places].astype(np.float32)
    category = dataset.impressions["news_id"].str[1:].astype(int) % 2
    imputed = np.where(category, LIKED["politics"], LIKED["sport"]).astype(np.float32)
    seen = Seen(propensity, 1 / propensity, imputed, "", (), 0.2)
    config = CounterfactualConfig(estimator=estimator, clip=clip)
    corpus = corpus_of(dataset, settings).weighed(seen, config)
    assert preference(corpus, settings, tmp_path) > 0
