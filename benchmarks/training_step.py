"""Is a training step faster than the same model as peers write it?

The peer encodes every occurrence of a news, keeps words in a dense `nn.Embedding` and updates them
with Adam. Ours encodes each distinct news of the batch once, projects each distinct word once, and
updates only the rows that were looked up, inside the backward pass. Both: NRMS with two user
encoders (FairRec), one softmax loss on the sum of both parts, float32, all threads.

    python benchmarks/training_step.py --batches 64 512
"""

import argparse
import json
import logging
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.losses.ranking import softmax_loss
from recsys.model.attention import AdditiveAttention
from recsys.model.batch import Batch, NewsFeatures
from recsys.model.fairrec import FairRec, ModelConfig
from recsys.model.news_encoder import FeatureSizes, NewsEncoderConfig
from recsys.training.loader import together
from recsys.training.sharding import process_group, shard

WORDS, WORD_DIM, TITLE, NEWS = 50_000, 300, 30, 20_000
HEADS, DIM, HIDDEN = 20, 400, 200
CLICKED, CANDIDATES, EXPONENT = 50, 5, 1.0


class PeerBlock(nn.Module):
    """Self-attention and additive attention over vectors, one sequence a row."""

    def __init__(self, in_dim: int) -> None:
        """Define the two attentions."""
        super().__init__()
        self.project = nn.Linear(in_dim, 3 * DIM, bias=False)
        self.pool = AdditiveAttention(DIM, HIDDEN)

    def forward(self, sequence: Tensor) -> Tensor:
        """Encode each row to one vector."""
        batch, length, _ = sequence.shape
        parts = self.project(sequence).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts).transpose(1, 2)
        mask = torch.ones(batch, length, dtype=torch.bool)
        pooled: Tensor = self.pool(mixed.reshape(batch, length, -1), mask)
        return pooled


class Peer(nn.Module):
    """FairRec as it is usually written: every occurrence of a news is encoded."""

    def __init__(self) -> None:
        """Define words, titles and two user encoders."""
        super().__init__()
        self.words = nn.Embedding(WORDS, WORD_DIM)
        self.title, self.free, self.aware = PeerBlock(WORD_DIM), PeerBlock(DIM), PeerBlock(DIM)

    def forward(self, history: Tensor, candidates: Tensor) -> Tensor:
        """Score candidates, given the titles of both: [batch, news, words]."""
        titles = torch.cat([history, candidates], dim=1)
        news = self.title(self.words(titles.flatten(0, 1))).unflatten(0, titles.shape[:2])
        clicked, shown = news[:, :CLICKED], news[:, CLICKED:]
        return torch.einsum("bd,bsd->bs", self.free(clicked) + self.aware(clicked), shown)


def zipf(rng: np.random.Generator, values: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw rows with probability proportional to 1 / rank."""
    weights = 1 / np.arange(1, values + 1) ** EXPONENT
    return rng.choice(values, size=shape, p=weights / weights.sum())


def peer_step(titles: Tensor, batch: int) -> Callable[[np.ndarray], None]:
    """Return a function that trains the peer on one batch of news rows."""
    model = Peer()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    clicks = functional.one_hot(torch.zeros(batch, dtype=torch.long), CANDIDATES).float()
    mask = torch.ones(batch, CANDIDATES, dtype=torch.bool)

    def step(rows: np.ndarray) -> None:
        seen = titles[torch.from_numpy(rows)]
        scores = model(seen[:, :CLICKED], seen[:, CLICKED:])
        optimizer.zero_grad()
        softmax_loss(scores, clicks, mask).backward()
        optimizer.step()

    return step


def our_step(titles: Tensor, batch: int) -> Callable[[np.ndarray], None]:
    """Return a function that trains this package's model on one batch of news rows."""
    config = ModelConfig(
        dim=DIM,
        user_encoder="nrms",
        heads=HEADS,
        hidden=HIDDEN,
        dropout=0.0,
        news=NewsEncoderConfig(
            views=("title",), word_dim=WORD_DIM, heads=HEADS, hidden=HIDDEN, dropout=0.0
        ),
    )
    sizes = FeatureSizes(words=WORDS, categories=1, subcategories=1, ids=1)
    model = shard(FairRec(config, sizes), learning_rate=0.02, device=torch.device("cpu"))
    dense = [p for name, p in model.named_parameters() if "collection" not in name]
    optimizer = torch.optim.Adam(dense, lr=1e-3)
    clicks = functional.one_hot(torch.zeros(batch, dtype=torch.long), CANDIDATES).float()

    def step(rows: np.ndarray) -> None:
        distinct, history, candidates = together(rows[:, :CLICKED], rows[:, CLICKED:])
        one = pack(titles[torch.from_numpy(distinct)], history, candidates, clicks)
        interest = model(one)
        readers = interest.bias_free + interest.bias_aware
        scores = torch.einsum("bd,bsd->bs", readers, interest.news.ranked[one.candidates])
        optimizer.zero_grad()
        softmax_loss(scores, clicks, one.candidate_mask).backward()
        optimizer.step()

    return step


def pack(tokens: Tensor, history: np.ndarray, candidates: np.ndarray, clicks: Tensor) -> Batch:
    """Put one batch into the form the model takes; no padding anywhere, as for the peer."""
    none = torch.zeros(len(tokens), dtype=torch.long)
    labels = torch.zeros(len(history), 0, dtype=torch.long)
    return Batch(
        news=NewsFeatures(none, tokens, none, none, torch.zeros(len(tokens), 0), none + 1.0),
        history=torch.from_numpy(history),
        history_mask=torch.ones(history.shape, dtype=torch.bool),
        candidates=torch.from_numpy(candidates),
        candidate_mask=torch.ones(candidates.shape, dtype=torch.bool),
        clicks=clicks,
        weights=torch.ones_like(clicks),
        negatives=torch.zeros(0, dtype=torch.long),
        attributes=labels,
        known=labels.bool(),
        audience=torch.zeros(0, 1, dtype=torch.long),
        audience_mask=torch.zeros(0, 1, dtype=torch.bool),
        beliefs=torch.zeros(0, 0),
        readers=torch.arange(len(history)),
    )


def measure(batch: int, steps: int, rng: np.random.Generator) -> dict[str, float]:
    """Time both in turn on the same batches; medians, slates a second."""
    titles = torch.from_numpy(zipf(rng, WORDS - 1, (NEWS, TITLE)) + 1)
    runners = {"ours": our_step(titles, batch), "peer": peer_step(titles, batch)}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    distinct = 0
    for _ in range(steps + 1):
        rows = zipf(rng, NEWS, (batch, CLICKED + CANDIDATES))
        distinct = len(np.unique(rows))
        for name, step in runners.items():
            start = time.perf_counter()
            step(rows)
            seconds[name].append(time.perf_counter() - start)
    ours, peer = (statistics.median(seconds[name][1:]) for name in ("ours", "peer"))
    return {
        "batch": batch,
        "occurrences": batch * (CLICKED + CANDIDATES),
        "distinct": distinct,
        "ours_slates_per_second": batch / ours,
        "peer_slates_per_second": batch / peer,
        "ratio": peer / ours,
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    with process_group():
        rng = np.random.default_rng(0)
        results = [measure(batch, arguments.steps, rng) for batch in arguments.batches]
    print(
        json.dumps(
            {
                "name": "training_step",
                "ratio": results[-1]["ratio"],
                "unit": "times the peer's slates per second, at the largest batch",
                "peer": "every occurrence encoded, dense embedding gradients, Adam",
                "settings": {
                    "words": [WORDS, WORD_DIM],
                    "title_tokens": TITLE,
                    "news": NEWS,
                    "clicked": CLICKED,
                    "candidates": CANDIDATES,
                    "heads": HEADS,
                    "dim": DIM,
                    "zipf_exponent": EXPONENT,
                    "threads": torch.get_num_threads(),
                },
                "results": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
