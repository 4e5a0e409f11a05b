"""All that training knows of a dataset: log, split, news features and usable attributes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from tokenizers import Tokenizer

from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog, read
from recsys.data.splits import Split, SplitConfig, split
from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training.features import NewsTable, describe


@dataclass(frozen=True)
class ReaderAttributes:
    """Sensitive attributes of a log's readers, as far as training may know them."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """Values of each attribute, in the order of their classes."""
    labels: Int[np.ndarray, "readers attributes"]
    """0 where it is not known."""
    known: Bool[np.ndarray, "readers attributes"]
    """False where it is missing, or kept from training."""
    fit: Bool[np.ndarray, " readers"]
    """Readers whose attributes training may use; those of the others are for the audit alone."""

    @property
    def num_classes(self) -> list[int]:
        """Count the values of each attribute."""
        return [len(values) for values in self.values]


@dataclass(frozen=True)
class Corpus:
    """A dataset, ready to be learned from."""

    log: ReadingLog
    split: Split
    news: NewsTable
    attributes: ReaderAttributes
    tokenizer: Tokenizer


def assemble(
    dataset: Dataset,
    *,
    split_config: SplitConfig,
    news_config: NewsEncoderConfig,
    attribute_share: float,
    rng: np.random.Generator,
) -> Corpus:
    """Read and cut a dataset.

    Args:
        dataset: Where the tables are.
        split_config: What is held out.
        news_config: Which views of a news are wanted.
        attribute_share: Share of readers, in [0, 1], whose attributes training may use.
        rng: Draws those readers.

    Raises:
        DataError: The log has no click, or too few to split.
    """
    log = read(dataset)
    parts = split(log, split_config)
    news, tokenizer = describe(dataset, log, _learnable(log, parts), news_config)
    fit = rng.random(len(log.user_ids)) < attribute_share
    attributes = reader_attributes(dataset.attributes, log.user_ids, fit)
    return Corpus(log, parts, news, attributes, tokenizer)


def reader_attributes(
    table: pd.DataFrame | None, user_ids: list[str], fit: np.ndarray
) -> ReaderAttributes:
    """Number the values of each attribute, alphabetically, for the readers of a log."""
    if table is None:
        table = pd.DataFrame({"user_id": pd.Series(dtype=str)})
    aligned = table.set_index(table["user_id"].astype(str)).drop(columns="user_id")
    aligned = aligned.reindex(user_ids)
    coded = [pd.factorize(aligned[name], sort=True) for name in aligned.columns]
    shape = (len(user_ids), len(coded))
    codes = np.column_stack([c for c, _ in coded]) if coded else np.zeros(shape, dtype=np.int64)
    return ReaderAttributes(
        names=tuple(map(str, aligned.columns)),
        values=tuple(tuple(map(str, values)) for _, values in coded),
        labels=np.maximum(codes, 0).astype(np.int64).reshape(shape),
        known=((codes >= 0) & fit[:, None]).reshape(shape),
        fit=fit,
    )


def _learnable(log: ReadingLog, parts: Split) -> np.ndarray:
    """List the news there were while training clicks happened: shown by then, or remembered."""
    last_slate = log.clicks.slate[parts.train].max()
    shown = log.shown.news[: log.shown.offsets[last_slate + 1]]
    return np.union1d(shown, log.clicks.news[log.clicks.slate < 0])
