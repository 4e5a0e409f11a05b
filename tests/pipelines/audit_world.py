"""A small run with its dataset, in which it is known what gives the attribute away."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import safetensors.numpy
from safetensors.torch import save as save_weights

from recsys.data.writer import DatasetWriter
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle, Readers
from recsys.ranker.ranker import Ranker
from tests.ranker import worlds

NEWS, CLICKS, SHOWN, DIM = 40, 8, 4, 8
START = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    run: Path
    dataset: Path
    genders: list[str | None]


def build(
    folder: Path,
    *,
    leaky: bool,
    num_readers: int = 240,
    seed: int = 0,
    split: str = 'protocol = "slates"\ntest = 0.125',
) -> World:
    """Write a dataset and a run.

    Args:
        folder: Where to put both.
        leaky: Women click news 0 to 19 and men the others; otherwise everybody clicks anything.
        num_readers: Every tenth does not state a gender, every fifth was used in training.
        seed: Of everything that is drawn.
        split: What the run held out, as its settings say. Readers come in turn, so that by default,
            and with next_click, it is what each clicked last.
    """
    rng = np.random.default_rng(seed)
    users = [f"u{i}" for i in range(num_readers)]
    genders = [None if i % 10 == 9 else "FM"[i % 2] for i in range(num_readers)]
    clicks = rng.integers(NEWS, size=(num_readers, CLICKS))
    if leaky:
        clicks = clicks % 20 + 20 * (np.arange(num_readers) % 2)[:, None]
    _dataset(folder / "data", users, genders, clicks, rng)
    _run(folder / "run", users, genders, clicks, rng)
    with (folder / "run" / "config.toml").open("a") as config:
        config.write(f"[split]\n{split}\n")
    return World(folder / "run", folder / "data", genders)


def _dataset(folder, users, genders, clicks, rng):
    with DatasetWriter(folder, "test") as writer:
        names = [f"n{i}" for i in range(NEWS)]
        writer.news(
            pa.table(
                {"news_id": names, "title": names, "category": _topics(), "provider": _papers()}
            )
        )
        writer.attributes(pa.table({"user_id": users, "gender": genders}))
        rows = []
        for slate, (place, reader) in enumerate(np.ndindex(clicks.T.shape)):
            clicked = clicks[reader, place]
            others = rng.permutation(np.setdiff1d(np.arange(NEWS), clicked))[: SHOWN - 1]
            rows += [
                (
                    slate,
                    users[reader],
                    START + timedelta(minutes=slate),
                    f"n{news}",
                    at + 1,
                    at == 0,
                )
                for at, news in enumerate([clicked, *others])
            ]
        columns = ("slate_id", "user_id", "time", "news_id", "position", "clicked")
        writer.impressions(
            pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
        )


def _run(folder, users, genders, clicks, rng):
    meaning = rng.standard_normal((NEWS, DIM))
    meaning[:20] += 2.0  # the two halves are told apart in every direction
    news = worlds.catalogue(meaning, categories=_topics(), providers=_papers())
    weights = save_weights(worlds.encoder(DIM).state_dict())
    manifest = worlds.manifest(news, weights, num_readers=len(users), max_history=CLICKS)
    vectors = Ranker.load(news, manifest, weights).encode(clicks.tolist())
    offsets = np.arange(len(users) + 1, dtype=np.int64) * CLICKS
    readers = Readers(users, vectors, clicks.ravel().astype(np.int32), offsets)
    bundles.save(Bundle(manifest, news, readers, weights), folder / "bundle")
    offline = folder / "offline"
    offline.mkdir()
    roles = ["fit" if i % 5 == 0 else "audit" for i in range(len(users))]
    pd.DataFrame({"user_id": users, "attribute_role": roles}).to_parquet(
        offline / "readers.parquet"
    )
    aware = rng.standard_normal((len(users), DIM)).astype(np.float16)
    aware[:, 0] += 4 * np.array([gender == "F" for gender in genders])
    safetensors.numpy.save_file({"vectors": aware}, offline / "bias_aware.safetensors")
    events = pd.DataFrame(
        {
            "user_id": users,
            "slate_id": len(users) * (CLICKS - 1) + np.arange(len(users)),
            "ndcg@10": rng.uniform(0.4, 0.8, len(users)),
            "popularity_ndcg@10": rng.uniform(0.2, 0.6, len(users)),
        }
    )
    events.to_parquet(offline / "evaluation.parquet")
    (folder / "config.toml").write_text('seed = 3\n[fairness]\npreset = "default"\n')


def _topics():
    return [("politics", "sport")[i // 20] for i in range(NEWS)]


def _papers():
    return [f"paper {i % 3}" for i in range(NEWS)]
