"""Yahoo! R3 (Webscope, "Music ratings for user selected and randomly selected songs").

``ydata-ymusic-rating-study-v1_0-train.txt`` holds ratings that readers chose to give,
``…-test.txt`` ratings of ten songs each that were drawn by chance; both are tab-separated user,
song, rating (1 to 5). The data needs a signed agreement with Yahoo! and is never part of this
project. Songs have no text, readers no attributes.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.raw import RawFolder
from recsys.data.tally import Seen

PARTS = {
    "ydata-ymusic-rating-study-v1_0-train.txt": False,
    "ydata-ymusic-rating-study-v1_0-test.txt": True,
}
"""File to whether its songs were drawn by chance."""
_COLUMNS = ["user_id", "news_id", "value"]
_MAX_ID = 10**9


def read(raw: RawFolder) -> Iterator[tuple[str, pa.Table]]:
    """Read Yahoo! R3.

    Raises:
        DataError: A file is missing, or a row is bad and bad rows are not to be skipped.
    """
    songs = Seen()
    for name, randomised in PARTS.items():
        for rows in raw.delimited(name, _COLUMNS, "\t"):
            rows = rows.integers("user_id", 1, _MAX_ID).integers("news_id", 1, _MAX_ID)
            rows = rows.integers("value", 1, 5)
            new = pc.unique(rows["news_id"]).to_numpy()
            new = new[~songs.add(new)]
            yield "news", pa.table({"news_id": new.astype(str), "title": [""] * len(new)})
            yield (
                "ratings",
                pa.table(
                    {
                        "user_id": rows["user_id"].cast(pa.string()),
                        "news_id": rows["news_id"].cast(pa.string()),
                        "value": rows["value"].cast(pa.float32()),
                        "randomised": np.full(len(rows), randomised),
                    }
                ),
            )
