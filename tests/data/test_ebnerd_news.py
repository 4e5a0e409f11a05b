import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.raw import RawFolder
from recsys.data.sources import ebnerd_news
from recsys.errors import DataError


def articles():
    moment = dt.datetime(2023, 5, 1, 12)
    return pa.table(
        {
            "article_id": pa.array([10, 11], pa.int32()),
            "title": ["Ø", None],
            "subtitle": ["En å", None],
            "category_str": ["nyheder", "sport"],
            "subcategory": pa.array([[133, 7], []], pa.large_list(pa.int16())),
            "published_time": pa.array([moment, None], pa.timestamp("us")),
        }
    )


def vectors(values=((1.0, 2.0),)):
    return pa.table(
        {
            "article_id": pa.array([11 + i for i in range(len(values))], pa.int32()),
            "document_vector": pa.array(values, pa.large_list(pa.float64())),
        }
    )


def read(folder):
    found = list(ebnerd_news.read(RawFolder(folder)))
    return pa.concat_tables(found).to_pylist() if found else []


def test_articles_become_news(tmp_path):
    pq.write_table(articles(), tmp_path / "articles.parquet")
    first, second = read(tmp_path)
    assert (first["news_id"], first["title"], first["abstract"]) == ("10", "Ø", "En å")
    assert (first["category"], first["subcategory"]) == ("nyheder", "133")
    assert first["published_at"] == dt.datetime(2023, 5, 1, 12, tzinfo=dt.UTC)
    assert (second["title"], second["subcategory"], second["published_at"]) == ("", None, None)


def test_document_vectors_find_their_news(tmp_path):
    pq.write_table(articles(), tmp_path / "articles.parquet")
    pq.write_table(vectors(), tmp_path / "document_vector.parquet")
    assert [news["embedding"] for news in read(tmp_path)] == [None, [1.0, 2.0]]


def test_vectors_without_articles_are_news_without_text(tmp_path):
    pq.write_table(vectors(), tmp_path / "contrastive_vector.parquet")
    assert read(tmp_path) == [{"news_id": "11", "title": "", "embedding": [1.0, 2.0]}]


def test_articles_may_lie_beside_the_splits(tmp_path):
    (tmp_path / "train").mkdir()
    pq.write_table(articles(), tmp_path / "articles.parquet")
    assert [news["news_id"] for news in read(tmp_path / "train")] == ["10", "11"]


def test_neither_file_is_no_news(tmp_path):
    assert read(tmp_path) == []


def test_vectors_of_another_length_are_named(tmp_path):
    pq.write_table(vectors([[1.0, 2.0], [1.0]]), tmp_path / "document_vector.parquet")
    with pytest.raises(DataError, match="parquet:2: expected document_vector: 2 numbers"):
        read(tmp_path)


def test_a_file_without_a_column_of_vectors_is_refused(tmp_path):
    table = vectors().drop_columns("document_vector")
    pq.write_table(table, tmp_path / "document_vector.parquet")
    with pytest.raises(DataError, match="expected one column of vectors, found 0"):
        read(tmp_path)


def test_an_article_listed_twice_is_named(tmp_path):
    twice = pa.concat_tables([articles(), articles()])
    pq.write_table(twice, tmp_path / "articles.parquet")
    with pytest.raises(DataError, match=r"articles.parquet:3: expected article_id: no duplicate"):
        read(tmp_path)
