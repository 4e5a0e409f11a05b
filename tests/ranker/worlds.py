"""Small published models for the tests of this folder, and for whoever serves one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import torch
from safetensors.torch import save

from recsys.model.user_encoder import UserEncoder
from recsys.ranker.bundle import Bundle, Catalogue, Manifest, Readers, model_hash
from recsys.ranker.ranker import Ranker, RankerConfig

NOW = datetime(2026, 5, 1, 3, tzinfo=UTC)
ENCODER = {"heads": 2, "hidden": 4}


def catalogue(vectors, **columns):
    num, vectors = len(vectors), np.asarray(vectors, np.float16)
    defaults = {
        "read_vectors": vectors,
        "ids": [f"n{i}" for i in range(num)],
        "categories": [""] * num,
        "providers": [""] * num,
        "published_at": np.zeros(num, np.int64),
        "popularity": np.zeros(num, np.float32),
    }
    return Catalogue(vectors=vectors, **defaults | columns)


def encoder(dim, seed=0):
    generator = torch.Generator().manual_seed(seed)
    module = UserEncoder(dim, **ENCODER)
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) / 3)
    return module


def bundle(*, num_news=6, num_readers=3, dim=4, seed=0):
    rng = np.random.default_rng(seed)
    ranked, read = rng.standard_normal((2, num_news, dim)).astype(np.float16)
    news = catalogue(ranked, read_vectors=read)
    readers = Readers(
        ids=[f"u{i}" for i in range(num_readers)],
        vectors=rng.standard_normal((num_readers, dim)).astype(np.float16),
        clicks=rng.integers(num_news, size=2 * num_readers, dtype=np.int32),
        offsets=np.arange(num_readers + 1, dtype=np.int64) * 2,
    )
    weights = save(encoder(dim, seed).state_dict())
    made = {"created_at": NOW + timedelta(days=seed)}
    description = manifest(news, weights, num_readers=num_readers).model_copy(update=made)
    return Bundle(description, news, readers, weights)


def manifest(news, weights, *, num_readers=0, max_history=5):
    digest = model_hash(news, weights)
    return Manifest(
        model_hash=digest,
        space=digest,
        dim=news.vectors.shape[1],
        num_news=len(news.ids),
        num_readers=num_readers,
        max_history=max_history,
        user_encoder=ENCODER,
        created_at=NOW,
    )


def ranker(news, **config):
    weights = save(encoder(news.vectors.shape[1]).state_dict())
    return Ranker.load(news, manifest(news, weights), weights, config=RankerConfig(**config))
