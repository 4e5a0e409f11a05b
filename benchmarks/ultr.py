"""How much of the training step do clicks, debiasing and feeding cost, and padding in evaluation?

Training: sessions a second of DLA end to end (clicks simulated) against the limit measured in the
same run: forward, backward and optimiser step of the same ranker on tensors already in memory.
Evaluation: nDCG@10 on queries of very unequal length, against the same padded to the longest.
Both are measured in short turns, so that a busy machine slows both alike; ratios are medians over
the turns. ``processor_ratio`` is the same in processor time, which other programs disturb less.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch

from recsys.evaluation import ir, ranking
from recsys.ltr.batches import SimulatedSource
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.loop import LoopConfig, train
from recsys.ltr.methods import METHODS, Setup
from recsys.ltr.rankers import Ranker
from recsys.simulation.clicks import EXAMINATION

DIM, LENGTH, BATCH, HIDDEN = 46, 10, 256, (512, 256, 128)
NUM_LISTS = 5_000


def end_to_end(steps: int) -> tuple[float, float]:
    """Wall and processor seconds of DLA on simulated clicks, everything included."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(NUM_LISTS * LENGTH, DIM)).astype(np.float32)
    shown = np.arange(NUM_LISTS * LENGTH).reshape(NUM_LISTS, LENGTH)
    mask = np.ones(shown.shape, dtype=bool)
    model = PositionBased(np.array(EXAMINATION))
    source = SimulatedSource(features, shown, mask, rng.uniform(0.1, 1, len(features)), model)
    method = METHODS["dla"](Setup(Ranker(DIM, HIDDEN), LENGTH, 20.0))
    settings = LoopConfig(steps=steps, batch_size=BATCH)
    return seconds(lambda: train(method, source.batches(BATCH, rng), settings))


def bare_step(steps: int) -> tuple[float, float]:
    """Seconds of the ranker's step on one batch in memory, with the loss that costs least."""
    ranker = Ranker(DIM, HIDDEN)
    optimiser = torch.optim.Adam(ranker.parameters(), lr=1e-3, fused=True)
    features = torch.randn(BATCH, LENGTH, DIM)

    def work() -> None:
        for _ in range(steps):
            optimiser.zero_grad(set_to_none=True)
            ranker(features).sum().backward()
            optimiser.step()

    return seconds(work)


def flat(collection: tuple[np.ndarray, ...]) -> np.ndarray:
    """NDCG of ragged queries as they are."""
    return ir.ndcg(ir.rank(*collection), 10)


def padded(collection: tuple[np.ndarray, ...]) -> np.ndarray:
    """NDCG of the same queries, every list padded to the longest."""
    scores, labels, offsets = collection
    sizes = np.diff(offsets)
    mask = np.arange(sizes.max()) < sizes[:, None]
    wide_scores, wide_labels = np.zeros(mask.shape), np.zeros(mask.shape)
    wide_scores[mask], wide_labels[mask] = scores, labels
    return np.nan_to_num(ranking.ndcg(wide_scores, wide_labels, mask, k=10))


def queries(number: int) -> tuple[np.ndarray, ...]:
    """Most queries have a dozen documents, some have hundreds."""
    rng = np.random.default_rng(0)
    sizes = np.minimum(rng.lognormal(np.log(12), 1.2, number).astype(np.int64) + 1, 1000)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return rng.random(offsets[-1]), rng.integers(0, 5, offsets[-1]) * 1.0, offsets


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of one call."""
    started, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - worked


def main() -> None:
    """Measure both and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    end_to_end(10), bare_step(10)
    trained = np.array(
        [(end_to_end(options.steps), bare_step(options.steps)) for _ in range(options.rounds)]
    )
    whole, limit = options.steps * BATCH / np.median(trained[:, :, 0], axis=0)
    ratio, processor_ratio = np.median(trained[:, 1] / trained[:, 0], axis=0)
    collection = queries(10_000)
    assert np.allclose(flat(collection), padded(collection))
    turns = np.array(
        [
            (seconds(lambda: flat(collection)), seconds(lambda: padded(collection)))
            for _ in range(options.rounds)
        ]
    )
    ours, theirs = np.median(turns[:, :, 0], axis=0)
    lengths = np.diff(collection[2])
    report = {
        "name": "ultr",
        "ratio": float(ratio),
        "processor_ratio": float(processor_ratio),
        "unit": "training sessions a second over those of the bare step",
        "peer": "forward, backward and optimiser step of the same ranker, tensors in memory",
        "sessions_per_second": float(whole),
        "limit_sessions_per_second": float(limit),
        "evaluation_ratio": float(np.median(turns[:, 1, 0] / turns[:, 0, 0])),
        "evaluation_unit": "times faster than padding every list to the longest",
        "evaluation_seconds": float(ours),
        "padded_seconds": float(theirs),
        "settings": {
            "ranker": list(HIDDEN),
            "features": DIM,
            "list": LENGTH,
            "batch": BATCH,
            "steps": options.steps,
            "rounds": options.rounds,
            "threads": options.threads,
            "queries": len(lengths),
            "mean_documents": float(lengths.mean()),
            "longest": int(lengths.max()),
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
