"""EB-NeRD (Kruse et al., 2024, arXiv:2410.03432): Ekstra Bladet's log, in Parquet.

``behaviors.parquet`` and ``history.parquet`` of one split, with ``articles.parquet`` and a file of
document vectors if they are there (`ebnerd_news`). Format: https://recsys.eb.dk/dataset/

The news in view are in no order of rank, so positions are unknown. Times carry no zone and are
taken as UTC. ``dwell_seconds`` is ``next_read_time``, the time spent on the first news clicked.
Gender (0 male, 1 female) and age (the start of ten years) are missing for most readers.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.raw import RawFolder
from recsys.data.rows import Rows
from recsys.data.schema import TIME
from recsys.data.slates import any_in_slate, has_repeats, slate_of
from recsys.data.sources import ebnerd_news
from recsys.data.tally import Seen

_REQUIRED = (
    "impression_id", "user_id", "impression_time", "article_ids_inview", "article_ids_clicked",
)  # fmt: skip
_BEHAVIORS = (*_REQUIRED, "next_read_time", "gender", "age")
_HISTORY = ("user_id", "impression_time_fixed", "article_id_fixed")


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read one split of EB-NeRD.

    Raises:
        DataError: A file or column is missing, or a row is bad and bad rows may not be skipped.
    """
    for table in ebnerd_news.read(raw):
        yield "news", table
    readers: list[pa.Table] = []
    seen = Seen()
    for rows in raw.parquet("behaviors.parquet", _BEHAVIORS):
        rows = _demand_slates(_demand_ranges(rows.present(*_REQUIRED)))
        rows = rows.unique("impression_id", seen)
        if len(rows):
            readers.append(_known(rows.table))
            yield "impressions", _impressions(rows)
    if readers:
        yield "attributes", _attributes(pa.concat_tables(readers))
    yield from _histories(raw)


def _demand_ranges(rows: Rows) -> Rows:
    """Accept what is missing, but no value that the format does not have."""
    gender = pc.or_(pc.equal(rows["gender"], 0), pc.equal(rows["gender"], 1))
    rows = rows.demand(pc.fill_null(gender, True), "gender: 0, 1 or nothing", "gender")
    age = pc.fill_null(pc.and_(pc.greater_equal(rows["age"], 0), pc.less(rows["age"], 120)), True)
    rows = rows.demand(age, "age: 0 to 119 or nothing", "age")
    dwell = pc.fill_null(pc.greater_equal(rows["next_read_time"], 0), True)
    return rows.demand(dwell, "next_read_time: at least 0 or nothing", "next_read_time")


def _demand_slates(rows: Rows) -> Rows:
    lengths, shown = _lists(rows["article_ids_inview"])
    good = (lengths > 0) & ~has_repeats(shown, lengths)
    rows = rows.demand(good, "some news in view, none twice", "article_ids_inview")
    lengths, shown = _lists(rows["article_ids_inview"])
    num_clicks, clicked = _lists(rows["article_ids_clicked"])
    stray = ~np.isin(_keys(num_clicks, clicked), _keys(lengths, shown))
    good = ~any_in_slate(stray, num_clicks)
    return rows.demand(good, "only clicks on news in view", "article_ids_clicked")


def _impressions(rows: Rows) -> pa.Table:
    lengths, shown = _lists(rows["article_ids_inview"])
    num_clicks, clicked = _lists(rows["article_ids_clicked"])
    keys, clicks = _keys(lengths, shown), _keys(num_clicks, clicked)
    first = np.r_[0, np.cumsum(num_clicks)][:-1][num_clicks > 0]
    slate = slate_of(lengths)
    dwell = rows["next_read_time"].take(pa.array(slate))
    return pa.table(
        {
            "slate_id": rows["impression_id"].cast(pa.int64()).to_numpy()[slate],
            "user_id": rows["user_id"].cast(pa.string()).take(pa.array(slate)),
            "time": _utc(rows["impression_time"]).take(pa.array(slate)),
            "news_id": pa.array(shown).cast(pa.string()),
            "position": np.zeros(len(slate), np.int16),
            "clicked": np.isin(keys, clicks),
            "dwell_seconds": pc.if_else(np.isin(keys, clicks[first]), dwell, None),
        }
    )


def _known(readers: pa.Table) -> pa.Table:
    """Keep what is known of each reader; where rows disagree, the larger value."""
    largest = readers.group_by("user_id").aggregate([("gender", "max"), ("age", "max")])
    return largest.rename_columns({"gender_max": "gender", "age_max": "age"})


def _attributes(readers: pa.Table) -> pa.Table:
    known = _known(readers)
    age = known["age"].cast(pa.int64())
    decade = pc.multiply(pc.divide(age, 10), 10).cast(pa.string())
    last = pc.add(pc.multiply(pc.divide(age, 10), 10), 9).cast(pa.string())
    return pa.table(
        {
            "user_id": known["user_id"].cast(pa.string()),
            "gender": pc.if_else(pc.equal(known["gender"], 0), "M", "F"),
            "age": pc.binary_join_element_wise(decade, last, "-"),
        }
    )


def _histories(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read what each reader had clicked before the split; it is known at the last of its times."""
    seen = Seen()
    for rows in raw.parquet("history.parquet", _HISTORY):
        rows = rows.present(*_HISTORY)
        num_news, _ = _lists(rows["article_id_fixed"])
        num_times, _ = _lists(rows["impression_time_fixed"])
        good = (num_news == num_times) & (num_news > 0)
        rows = rows.demand(good, "some history, a time for each news", "user_id")
        rows = rows.unique("user_id", seen)
        lengths, news = _lists(rows["article_id_fixed"])
        _, times = _lists(rows["impression_time_fixed"])
        order = np.lexsort((times, slate_of(lengths)))
        offsets = np.r_[0, np.cumsum(lengths)]
        table = {
            "user_id": rows["user_id"].cast(pa.string()),
            "time": pa.array(times[order][offsets[1:] - 1], pa.timestamp("us")).cast(TIME),
            "history": pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), pa.array(news[order]).cast(pa.string())
            ),
        }
        yield "histories", pa.table(table)


def _lists(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the length of each list, and all values in a row."""
    values = pc.list_flatten(column).combine_chunks()
    return pc.list_value_length(column).to_numpy().astype(np.int64), values.to_numpy()


def _keys(lengths: np.ndarray, news: np.ndarray) -> np.ndarray:
    """Return one number for each pair of slate and news, whose id takes 32 bits."""
    return (slate_of(lengths) << 32) + news


def _utc(times: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(times.type):  # whose numbers would be taken for microseconds
        raise pa.ArrowInvalid(f"impression_time: expected timestamps, found {times.type}")
    return times.cast(pa.timestamp("us")).cast(TIME)
