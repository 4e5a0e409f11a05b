import dataclasses

import numpy as np
import pytest
import torch

from recsys.errors import CheckpointError, ConfigError, VersionNotFound
from recsys.ranker.query import Query
from recsys.ranker.ranker import RankerConfig
from recsys.serving.loading import device, load
from recsys.store.memory import MemoryStore
from tests.serving import world

CPU = torch.device("cpu")


def test_auto_takes_the_gpu_when_there_is_one():
    assert device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="cuda:99"):
        device("cuda:99")


def test_what_was_published_is_what_ranks():
    store = MemoryStore()
    meta = world.publish(store, seed=3)
    ranker = load(store, meta, device=CPU, config=RankerConfig())
    query = Query(vector=world.vectors(3)[0], k=5)
    (ranked,) = ranker.rank([query], np.random.default_rng(0))
    assert [world.IDS[row] for row in ranked.rows] == world.best(3, "ann")[:5]


def test_a_version_that_is_gone_is_not_found():
    meta = world.publish(MemoryStore())
    with pytest.raises(VersionNotFound):
        load(MemoryStore(), meta, device=CPU, config=RankerConfig())


@pytest.mark.parametrize("manifest", ["", "{}", '{"dim": 8}'])
def test_a_damaged_manifest_is_refused_in_one_line(manifest):
    store = MemoryStore()
    meta = dataclasses.replace(world.publish(store), manifest=manifest)
    with pytest.raises(CheckpointError, match=f"manifest of {meta.version}") as caught:
        load(store, meta, device=CPU, config=RankerConfig())
    assert "\n" not in str(caught.value)
