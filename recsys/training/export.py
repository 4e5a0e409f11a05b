"""From a trained model to what leaves the offline world (the bundle) and what never does."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.numpy
import safetensors.torch
import torch
from jaxtyping import Float

from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog
from recsys.evaluation import bootstrap
from recsys.folders import writing
from recsys.model.fairrec import NewsVectors
from recsys.model.user_encoder import UserEncoder
from recsys.ranker.bundle import Bundle, Catalogue, Manifest, Readers, model_hash
from recsys.training import judge
from recsys.training.corpus import Corpus
from recsys.training.loop import Trainer
from recsys.training.settings import TrainConfig
from recsys.types import NewsId, ServedVectors, UserId

DAY = 86_400


def bundle(
    trainer: Trainer,
    corpus: Corpus,
    dataset: Dataset,
    config: TrainConfig,
    *,
    now: datetime,
) -> tuple[Bundle, Float[np.ndarray, "readers dim"] | None]:
    """Encode every news and every reader, from all of their clicks.

    Returns:
        What serving needs, and the readers' bias-aware vectors, in the bundle's order, which it
        must never have; None when the model is not decomposed.
    """
    news = judge.encode_news(trainer.model, corpus)
    log, everyone = corpus.log, np.arange(len(corpus.log.user_ids))
    ends = log.clicks.offsets[1:]

    def readers_by(encoder: UserEncoder, news: torch.Tensor) -> np.ndarray:
        vectors = judge.encode_readers(
            encoder, news, log, readers=everyone, ends=ends, max_history=config.model.max_history
        )
        return vectors.astype(np.float16)

    catalogue = _catalogue(dataset, log, news, config)
    readers = Readers(
        ids=[UserId(one) for one in log.user_ids],
        vectors=readers_by(trainer.model.bias_free, news.read),
        clicks=log.clicks.news.astype(np.int32),
        offsets=log.clicks.offsets.astype(np.int64),
    )
    weights = {n: w.detach().cpu() for n, w in trainer.model.bias_free.state_dict().items()}
    encoder = safetensors.torch.save(weights)
    digest = model_hash(catalogue, encoder)
    manifest = Manifest(
        model_hash=digest,
        space=digest,
        dim=config.model.dim,
        num_news=len(catalogue.ids),
        num_readers=len(readers.ids),
        max_history=config.model.max_history,
        user_encoder=config.model.tower(),
        created_at=now,
    )
    aware = None
    if config.fairness.decomposed:
        aside = judge.encode_all(trainer.model.aside, corpus)
        aware = readers_by(trainer.model.bias_aware, news.read + aside)
    return Bundle(manifest, catalogue, readers, encoder), aware


def measure(trainer: Trainer, corpus: Corpus) -> pd.DataFrame:
    """Rank the held-out test events with the model and by popularity: nDCG@10, one row an event."""
    test = corpus.split.test
    return pd.DataFrame(
        {
            "user_id": np.asarray(corpus.log.user_ids, dtype=object)[test.reader],
            "slate_id": corpus.log.shown.ids[test.slate],
            "ndcg@10": trainer.ask(test),
            "popularity_ndcg@10": judge.answer_by_popularity(corpus.log, test, corpus.split.train),
        }
    )


def summary(events: pd.DataFrame, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Means with bootstrap intervals over readers, and of the gain over popularity."""
    ours, popular = events["ndcg@10"].to_numpy(), events["popularity_ndcg@10"].to_numpy()
    who = events["user_id"].to_numpy()
    return {
        "ndcg@10": asdict(bootstrap.mean_interval(ours, who, rng=rng)),
        "popularity_ndcg@10": asdict(bootstrap.mean_interval(popular, who, rng=rng)),
        "gain_ndcg@10": asdict(bootstrap.paired_difference(ours, popular, who, rng=rng)),
    }


def save_offline(
    folder: Path, corpus: Corpus, events: pd.DataFrame, bias_aware: np.ndarray | None
) -> None:
    """Write what the audit needs and serving must not have."""
    folder.mkdir(parents=True, exist_ok=True)
    role = np.where(corpus.attributes.fit, "fit", "audit")
    pd.DataFrame({"user_id": corpus.log.user_ids, "attribute_role": role}).to_parquet(
        folder / "readers.parquet"
    )
    events.to_parquet(folder / "evaluation.parquet")
    if bias_aware is not None:
        with writing(folder / "bias_aware.safetensors") as aside:
            aside.write_bytes(safetensors.numpy.save({"vectors": bias_aware}))


def _catalogue(
    dataset: Dataset, log: ReadingLog, vectors: NewsVectors, config: TrainConfig
) -> Catalogue:
    news, num_news = dataset.news, len(log.news_ids)
    described = news.reindex(range(num_news))  # news that only the log names have no description
    published = described["published_at"].dt.as_unit("s")
    return Catalogue(
        ids=[NewsId(one) for one in log.news_ids],
        vectors=_served(vectors.ranked),
        read_vectors=_served(vectors.read),
        categories=list(described["category"].fillna("").astype(str)),
        providers=list(described["provider"].fillna("").astype(str)),
        published_at=published.fillna(pd.Timestamp(0, tz="UTC")).astype("int64").to_numpy(),
        popularity=_popularity(log, config.export.popularity_half_life_days),
    )


def _served(vectors: Float[torch.Tensor, "rows dim"]) -> ServedVectors:
    return vectors.cpu().numpy().astype(np.float16)


def _popularity(log: ReadingLog, half_life_days: float) -> Float[np.ndarray, " news"]:
    """Clicks of each news, each halved for every half-life that passed until the log's end."""
    logged = log.clicks.slate >= 0
    age = log.shown.time.max() - log.shown.time[log.clicks.slate[logged]]
    weights = np.exp2(-age / (half_life_days * DAY))
    counts = np.bincount(log.clicks.news[logged], weights, minlength=len(log.news_ids))
    return counts.astype(np.float32)
