"""How much of the machine's limit is left when a slate is more than a matrix product?

The limit is the bare matrix product and top-k of torch on the same tensors, in the type that the
ranker chose, with the candidates gathered where there are candidates. The ranker besides checks
and sorts candidates, hides seen news, scores finalists exactly, orders ties and logs propensities.

    python benchmarks/ranker.py [--news 50000] [--dim 64] [--device cpu]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch.nn import functional

from recsys.model.user_encoder import UserEncoder
from recsys.ranker.bundle import Catalogue, Manifest, model_hash
from recsys.ranker.query import Query
from recsys.ranker.ranker import Ranker, RankerConfig
from recsys.types import NewsId

K, NUM_HIDDEN, REPEATS = 10, 50, 30
CASES = [
    (batch, candidates) for candidates in (100, 1_000, None) for batch in (1, 16, 64)
]  # None: the whole catalogue


def main() -> None:
    """Run every case and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--news", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    rng = np.random.default_rng(0)
    ranker = _ranker(settings.news, settings.dim, settings.device, rng)
    cases = [_case(ranker, rng, *case) for case in CASES]
    result = {
        "name": "ranker",
        "ratio": float(np.exp(np.mean([np.log(case["ratio"]) for case in cases]))),
        "unit": "share of the limit's speed, geometric mean over the cases; 1 is the limit",
        "peer": "torch: gather, matrix product and top-k on the same tensors",
        "settings": vars(settings) | {"k": K, "hidden": NUM_HIDDEN, "precision": ranker.precision},
        "cases": cases,
    }
    print(json.dumps(result, indent=2))


def _ranker(news: int, dim: int, device: str, rng: np.random.Generator) -> Ranker:
    ranked, read = rng.standard_normal((2, news, dim)).astype(np.float16)
    weights = save(UserEncoder(dim, heads=4, hidden=32).state_dict())
    catalogue = Catalogue(
        ids=[NewsId(f"n{row}") for row in range(news)],
        vectors=ranked,
        read_vectors=read,
        categories=[""] * news,
        providers=[""] * news,
        published_at=np.zeros(news, np.int64),
        popularity=np.zeros(news, np.float32),
    )
    manifest = Manifest(
        model_hash=model_hash(catalogue, weights),
        space="benchmark",
        dim=dim,
        num_news=news,
        num_readers=0,
        max_history=50,
        user_encoder={"heads": 4, "hidden": 32},
        created_at=datetime.now(UTC),
    )
    return Ranker.load(catalogue, manifest, weights, device=device, config=RankerConfig())


def _case(
    ranker: Ranker, rng: np.random.Generator, batch: int, candidates: int | None
) -> dict[str, Any]:
    """Time both in turn, so that whatever else the machine does hits both alike."""
    num_news, dim = ranker.catalogue.vectors.shape
    vectors = rng.standard_normal((batch, dim)).astype(np.float16)
    rows = [rng.permutation(num_news)[:candidates] for _ in range(batch)] if candidates else None
    queries = [
        Query(
            vector,
            K,
            rows=None if rows is None else rows[i],
            hidden=rng.permutation(num_news)[:NUM_HIDDEN],
        )
        for i, vector in enumerate(vectors)
    ]
    limit = _limit(ranker, vectors, rows)
    times = np.array(list(_race(lambda: ranker.rank(queries, rng), limit)))
    ours, theirs = np.median(times, axis=0)
    return {
        "candidates": candidates or "all",
        "batch": batch,
        "ratio": theirs / ours,
        "ms": ours * 1e3,
        "p99_ms": float(np.quantile(times[:, 0], 0.99)) * 1e3,
        "limit_ms": theirs * 1e3,
        "queries_per_second": batch / ours,
    }


def _limit(ranker: Ranker, vectors: np.ndarray, rows: list[np.ndarray] | None) -> Callable[[], Any]:
    dtype = getattr(torch, ranker.precision)
    matrix = torch.tensor(ranker.catalogue.vectors, device=ranker.device).to(dtype)
    queries = torch.tensor(vectors, device=ranker.device).to(dtype)
    if rows is None:
        return lambda: (queries @ matrix.T).topk(K).indices.cpu()
    table = torch.tensor(np.stack(rows), device=ranker.device)
    return lambda: (
        torch.bmm(functional.embedding(table, matrix), queries[:, :, None])[:, :, 0]
        .topk(K)
        .indices.cpu()
    )


def _race(*runners: Callable[[], Any]) -> Iterator[list[float]]:
    for runner in runners:
        for _ in range(3):
            runner()
    for _ in range(REPEATS):
        seconds = []
        for runner in runners:
            start = time.perf_counter()
            runner()
            seconds.append(time.perf_counter() - start)
        yield seconds


if __name__ == "__main__":
    main()
