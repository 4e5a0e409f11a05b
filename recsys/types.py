"""The words of the domain, shared by every layer."""

from typing import NewType

import numpy as np
from jaxtyping import Float16

NewsId = NewType("NewsId", str)
UserId = NewType("UserId", str)
Version = NewType("Version", str)  # "20260501T030000-1a2b3c4d": sorts by time, ends in the hash
Space = NewType("Space", str)  # versions whose vectors may be scored against each other

ServedVectors = Float16[np.ndarray, "rows dim"]  # as stored in Redis
