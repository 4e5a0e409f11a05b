"""News as the network's integers: words of titles, topics, ids, ready-made document vectors."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from recsys.data.dataset import Dataset
from recsys.data.reading_log import ReadingLog
from recsys.model.batch import NewsFeatures
from recsys.model.news_encoder import FeatureSizes, NewsEncoderConfig
from recsys.training.supply import evenness

PADDING, UNKNOWN = "[PAD]", "[UNK]"


@dataclass(frozen=True)
class NewsTable:
    """Features of every news of a log, row by row, and how many values each feature takes."""

    features: NewsFeatures
    sizes: FeatureSizes

    def take(self, rows: torch.Tensor) -> NewsFeatures:
        """Select the features of some news."""
        return NewsFeatures(*(column[rows] for column in self.features))


def learn_tokenizer(titles: Iterable[str], config: NewsEncoderConfig) -> Tokenizer:
    """Learn byte-pair words from titles, lower-cased; padding is 0.

    Source: Sennrich et al., 2016, arXiv:1508.07909. Pieces of words keep names that no training
    title had readable.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary,
        min_frequency=2,
        special_tokens=[PADDING, UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(titles, trainer)
    return tokenizer


def describe(
    dataset: Dataset, log: ReadingLog, learnable: np.ndarray, config: NewsEncoderConfig
) -> tuple[NewsTable, Tokenizer]:
    """Turn a dataset's news into features.

    Args:
        dataset: Where the news table is.
        log: Names the rows; news without a description get unknown features.
        learnable: Rows of the news that training may see; the others share id 0, unknown, and
            their titles teach the tokenizer nothing.
        config: Which views are wanted.
    """
    num_news, news = len(log.news_ids), dataset.news
    titles = news["title"].fillna("").astype(str)
    seen = np.zeros(num_news, dtype=bool)
    seen[learnable] = True
    tokenizer = learn_tokenizer(titles[seen[: len(titles)]], config)
    categories = _codes(news["category"], num_news)
    subcategories = _codes(news["subcategory"], num_news)
    ids = np.where(seen, np.cumsum(seen), 0)
    document = _documents(news, num_news)
    features = NewsFeatures(
        ids=torch.from_numpy(ids),
        tokens=torch.from_numpy(_tokens(tokenizer, titles, num_news, config.title_tokens)),
        categories=torch.from_numpy(categories),
        subcategories=torch.from_numpy(subcategories),
        document=torch.from_numpy(document),
        evenness=torch.from_numpy(_evenness(log, categories, subcategories, config)),
    )
    sizes = FeatureSizes(
        words=tokenizer.get_vocab_size(),
        categories=int(categories.max()) + 1,
        subcategories=int(subcategories.max()) + 1,
        ids=int(ids.max()) + 1,
        document=document.shape[1],
    )
    return NewsTable(features, sizes), tokenizer


def _codes(column: pd.Series, num_news: int) -> np.ndarray:
    """Number a text column's values from 1 in alphabetical order; 0 where there is none."""
    codes = np.zeros(num_news, dtype=np.int64)
    codes[: len(column)] = pd.factorize(column, sort=True)[0] + 1
    return codes


def _tokens(tokenizer: Tokenizer, titles: pd.Series, num_news: int, length: int) -> np.ndarray:
    tokens = np.zeros((num_news, length), dtype=np.int64)
    for row, encoding in enumerate(tokenizer.encode_batch(list(titles))):
        words = encoding.ids[:length]
        tokens[row, : len(words)] = words
    return tokens


def _evenness(
    log: ReadingLog, categories: np.ndarray, subcategories: np.ndarray, config: NewsEncoderConfig
) -> np.ndarray:
    """Even out the finest topics that are a view, if that is wanted."""
    if not config.even_supply:
        return np.ones(len(log.news_ids), dtype=np.float32)
    return evenness(log, subcategories if "subcategory" in config.views else categories)


def _documents(news: pd.DataFrame, num_news: int) -> np.ndarray:
    """Stack the data's own document vectors, zero where one is missing; width 0 without any."""
    if "embedding" not in news or news["embedding"].isna().all():
        return np.zeros((num_news, 0), dtype=np.float32)
    known = news["embedding"].notna().to_numpy()
    vectors = np.stack(list(news["embedding"][known])).astype(np.float32)
    documents = np.zeros((num_news, vectors.shape[1]), dtype=np.float32)
    documents[np.flatnonzero(known)] = vectors
    return documents
