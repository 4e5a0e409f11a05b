"""Random numbers, one stream a purpose."""

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the draws of one purpose: independent of other purposes', and of other programs'.

    ``default_rng(seed)`` alone is what anybody's script starts from: readers whose genders were
    drawn by it, with the same seed, would be parted by gender.
    """
    return np.random.default_rng([seed, *purpose.encode()])
