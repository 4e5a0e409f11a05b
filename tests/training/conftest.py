"""A small log with structure to learn: readers of one topic each, newest clicks repeat it."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from recsys.data.dataset import Dataset
from recsys.data.writer import DatasetWriter
from recsys.model.fairrec import ModelConfig
from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training.corpus import assemble
from recsys.training.loader import LoaderConfig
from recsys.training.settings import OptimizerConfig, TrainConfig
from recsys.training.sharding import process_group
from tests.data.tables import impressions

READERS, NEWS, SLATES = 40, 30, 12


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory):
    """Readers of topic A click A's news when shown; gender goes with the topic."""
    rng = np.random.default_rng(0)
    rows = []
    for slate in range(READERS * SLATES):
        reader = slate % READERS
        for news in rng.choice(NEWS, 4, replace=False):
            rows.append((slate, f"u{reader}", f"n{news}", bool(news % 2 == reader % 2)))
    path = tmp_path_factory.mktemp("tiny") / "dataset"
    with DatasetWriter(path, "tiny") as writer:
        writer.news(
            pa.table(
                {
                    "news_id": [f"n{i}" for i in range(NEWS)],
                    "title": [
                        f"{'goal match' if i % 2 else 'vote law'} number {i}" for i in range(NEWS)
                    ],
                    "category": [("sport", "politics")[i % 2] for i in range(NEWS)],
                }
            )
        )
        writer.impressions(impressions(*rows))
        writer.attributes(
            pa.table(
                {
                    "user_id": [f"u{i}" for i in range(READERS)],
                    "gender": ["f" if i % 2 else "m" for i in range(READERS - 1)] + [None],
                }
            )
        )
    return Dataset.open(path)


@pytest.fixture(scope="session")
def tiny_config():
    news = NewsEncoderConfig(
        views=("title", "category", "id"), word_dim=8, title_tokens=5, heads=2, hidden=4
    )
    return TrainConfig(
        model=ModelConfig(
            dim=8, heads=2, hidden=6, dropout=0.1, max_history=6, read_apart=True, news=news
        ),
        loader=LoaderConfig(batch_size=64, slate_negatives=2),
        optimizer=OptimizerConfig(
            learning_rate=0.01, table_learning_rate=0.1, max_epochs=3, patience=3
        ),
    )


@pytest.fixture(scope="session")
def corpus(tiny_dataset, tiny_config):
    return corpus_of(tiny_dataset, tiny_config)


@pytest.fixture(scope="session")
def group():
    with process_group():
        yield


@pytest.fixture(scope="session")
def cpu():
    return torch.device("cpu")


def corpus_of(dataset, config):
    return assemble(
        dataset,
        split_config=config.split,
        news_config=config.model.news,
        attributes_config=config.attributes,
        believe=config.fairness.believes,
        seed=config.seed,
    )
