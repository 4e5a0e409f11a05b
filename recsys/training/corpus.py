"""All that training knows of a dataset: log, split, news features and usable attributes."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from tokenizers import Tokenizer

from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog
from recsys.data.splits import Split, SplitConfig, read_and_split
from recsys.draws import stream
from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training.attributes import (
    AttributesConfig,
    ReaderAttributes,
    protected,
    reader_attributes,
)
from recsys.training.beliefs import beliefs
from recsys.training.counterfactual import CounterfactualConfig, Imputed, count
from recsys.training.features import NewsTable, describe
from recsys.training.seen import Seen


@dataclass(frozen=True)
class Corpus:
    """A dataset, ready to be learned from."""

    log: ReadingLog
    split: Split
    news: NewsTable
    attributes: ReaderAttributes
    beliefs: Float[np.ndarray, "readers groups"]
    """How likely a reader is of each group, told or not."""
    groups: dict[str, int]
    """How many columns of these each attribute has that could be estimated."""
    tokenizer: Tokenizer
    imputed: Imputed | None = None
    """What is learned from beside clicks; see `weighed`."""

    @property
    def clicks_per_reader(self) -> float:
        """Clicks to learn from, mean over the readers who have some."""
        readers = np.unique(self.log.reader_of_click[self.split.train])
        return len(self.split.train) / len(readers)

    def weighed(self, seen: Seen, config: CounterfactualConfig) -> "Corpus":
        """Let clicks count as if everything had been seen: `recsys.training.counterfactual`."""
        counted = count(self.log, self.split.train, seen, config)
        shown = replace(self.log.shown, weights=counted.weights)
        return replace(self, log=replace(self.log, shown=shown), imputed=counted.imputed)


def assemble(
    dataset: Dataset,
    *,
    split_config: SplitConfig,
    news_config: NewsEncoderConfig,
    attributes_config: AttributesConfig,
    believe: bool,
    seed: int,
) -> Corpus:
    """Read and cut a dataset.

    Args:
        dataset: Where the tables are.
        split_config: What is held out.
        news_config: Which views of a news are wanted.
        attributes_config: Whose attributes training may use.
        believe: Whether those of all readers are to be estimated.
        seed: Draws those readers.

    Raises:
        DataError: The log has no click, or too few to split.
    """
    log, parts = read_and_split(dataset, split_config, seed=seed)
    news, tokenizer = describe(dataset, log, _learnable(log, parts), news_config)
    draw = stream(seed, "attributes").random(len(log.user_ids))
    table = protected(dataset, attributes_config.names)
    attributes = reader_attributes(table, log.user_ids, draw < attributes_config.share)
    believed: dict[str, np.ndarray] = {}
    if believe:
        topics = [news.features.categories.numpy()]
        if "subcategory" in news_config.views:
            topics.append(news.features.subcategories.numpy())
        believed = beliefs(log, topics, attributes, parts.train, seed=seed)
    nothing = np.zeros((len(log.user_ids), 0), dtype=np.float32)
    together = np.concatenate([nothing, *believed.values()], axis=1)
    groups = {name: each.shape[1] for name, each in believed.items()}
    return Corpus(log, parts, news, attributes, together, groups, tokenizer)


def _learnable(log: ReadingLog, parts: Split) -> np.ndarray:
    """List the news there were while training clicks happened: shown by then, or remembered."""
    last_slate = log.clicks.slate[parts.train].max()
    shown = log.shown.news[: log.shown.offsets[last_slate + 1]]
    return np.union1d(shown, log.clicks.news[log.clicks.slate < 0])
