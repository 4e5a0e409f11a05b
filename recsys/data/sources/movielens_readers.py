"""What both MovieLens layouts say of readers: gender, age, occupation."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.rows import Rows
from recsys.data.tally import Seen

BANDS = ("under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+")
"""MovieLens 1M's age groups; the ages of 100K are put into the same."""
_BAND_STARTS = (18, 25, 35, 45, 50, 56)
_MAX_AGE = 120


def checked(rows: Rows, seen: Seen) -> Rows:
    """Demand a user once, an age, and a gender of M or F."""
    rows = rows.filled("user").integers("age", 1, _MAX_AGE)
    gender = pc.is_in(rows["gender"], pa.array(["M", "F"]))
    return rows.demand(gender, "gender: M or F", "gender").unique("user", seen)


def table(rows: Rows, occupation: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return an ``attributes`` table of checked rows."""
    band = np.searchsorted(_BAND_STARTS, rows["age"].to_numpy(), side="right")
    return pa.table(
        {
            "user_id": rows["user"],
            "gender": rows["gender"],
            "age": pa.array(BANDS).take(pa.array(band)),
            "occupation": occupation,
        }
    )
