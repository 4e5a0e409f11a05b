import dataclasses

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.ltr import gbdt
from recsys.ltr.gbdt import TreeConfig
from tests.ltr.methods.world import LENGTH, source

SETTINGS = TreeConfig(sessions=2000, trees=30, leaves=8, threads=1)


def belief(kind):
    """Correlation of the trees' scores with the honest and with the logging feature."""
    batches = source().batches(256, np.random.default_rng(0))
    trees = gbdt.train(batches, SETTINGS, kind=kind, seed=0)
    features = source(seed=1).features
    scores = trees.score(features)
    return [np.corrcoef(scores, features[:, column])[0, 1] for column in (0, 1)]


def test_true_labels_rank_by_relevance():
    honest, logging = belief("gbdt-labels")
    assert honest > 0.8 > 0.6 > logging


def test_clicks_rank_by_the_logging_feature():
    honest, logging = belief("gbdt")
    assert logging > honest


def test_positions_take_some_of_the_bias_away():
    assert belief("gbdt-position")[1] < belief("gbdt")[1]


def test_labels_are_needed_where_they_are_learned_from():
    batch = next(source().batches(8, np.random.default_rng(0)))
    batches = iter([dataclasses.replace(batch, appeal=None)])
    with pytest.raises(ConfigError, match="no labels"):
        gbdt.train(batches, SETTINGS, kind="gbdt-labels", seed=0)


def test_no_more_sessions_are_learned_from_than_are_asked_for():
    batches = source().batches(256, np.random.default_rng(0))
    trees = gbdt.train(batches, TreeConfig(sessions=300, trees=1), kind="gbdt", seed=0)
    root = trees.booster.dump_model()["tree_info"][0]["tree_structure"]
    assert root["internal_count"] == 300 * LENGTH
