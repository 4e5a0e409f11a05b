import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.propensity.covariates import describe, describe_news

NEWS = pd.DataFrame(
    {
        "news_id": ["a", "b"],
        "category": ["x", "y"],
        "subcategory": [None, None],
        "provider": ["p", "p"],
        "embedding": [[1.0, 2], None],
    }
)
READERS = pd.DataFrame({"user_id": ["1", "2", "3"], "gender": ["f", "m", None]})


def found():
    return describe(pd.Index(["3", "1", "2"]), pd.Index(["b", "a"]), READERS, NEWS)


def test_a_level_becomes_an_indicator_and_missing_is_a_level():
    assert found().reader_names == ["gender: f", "gender: m", "gender: not known"]
    assert found().covariates.readers.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_rows_come_in_the_order_asked_for():
    category = found().news_names.index("category: y")
    assert found().covariates.news[:, category].tolist() == [1, 0]


def test_a_missing_embedding_is_the_mean_with_an_indicator_and_counted():
    assert found().covariates.news[0, -3:].tolist() == [1, 2, 1]
    assert found().filled == {"gender": 1, "embedding": 1}


def test_an_unknown_news_is_missing_everything_and_still_finite():
    described = describe(pd.Index(["1", "2"]), pd.Index(["a", "b", "new"]), READERS, NEWS)
    assert np.isfinite(described.covariates.news).all()
    assert described.filled["category"] == 1


def test_nothing_known_of_readers_is_refused():
    with pytest.raises(DataError, match="tells readers apart"):
        describe(pd.Index(["1", "2"]), pd.Index(["a", "b"]), None, NEWS)


def test_nothing_known_of_news_is_no_column():
    bare = NEWS.assign(category=None, embedding=None)
    assert describe_news(pd.Index(["a", "b"]), bare).table.shape == (2, 0)
