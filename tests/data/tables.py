"""Small canonical tables to build datasets from."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from recsys.data.schema import TIME

START = datetime(2026, 1, 1, tzinfo=UTC)


def times(*minutes):
    return pa.array([START + timedelta(minutes=minute) for minute in minutes], TIME)


def news(*ids, title="Title"):
    return pa.table({"news_id": list(ids), "title": [title] * len(ids)})


def impressions(*rows, **columns):
    """Rows of (slate, user, news, clicked); a slate's minute is its number."""
    slates, users, shown, clicked = zip(*rows, strict=True)
    return pa.table(
        {
            "slate_id": pa.array(slates, pa.int64()),
            "user_id": list(users),
            "time": times(*slates),
            "news_id": list(shown),
            "position": pa.array([0] * len(rows), pa.int16()),
            "clicked": list(clicked),
        }
        | columns
    )


TWO_SLATES = ((1, "u", "a", True), (1, "u", "b", False), (2, "v", "a", False))
