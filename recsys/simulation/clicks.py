"""The click model: a news is clicked when its place is examined and it is relevant.

Both are independent coin flips given the reader and the news: the position-based model of
Richardson et al. (2007), as used by Ai et al. (2018, arXiv 1804.05938).
"""

import numpy as np
from jaxtyping import Float

EXAMINATION = (0.68, 0.61, 0.48, 0.34, 0.28, 0.20, 0.11, 0.10, 0.08, 0.06)
"""Places 1 to 10, from eye tracking (Joachims et al. 2005) as given by Ai et al. (2018)."""


def examination(places: int, bias: float) -> Float[np.ndarray, " places"]:
    """Return the probability that each place of a slate is looked at.

    ``EXAMINATION[place] ** bias``; beyond the tenth place the curve falls as ``10 / place``.

    Args:
        places: Length of a slate.
        bias: 0 (every place is looked at) or more; 1 is the curve as measured.
    """
    known = len(EXAMINATION)
    beyond = EXAMINATION[-1] * known / np.arange(known + 1, max(places, known) + 1)
    return np.concatenate([EXAMINATION, beyond])[:places] ** bias


def relevance(logits: Float[np.ndarray, "*shape"], noise: float) -> Float[np.ndarray, "*shape"]:
    """Return the probability that a news is clicked once it is examined.

    ``noise + (1 - noise) * sigmoid(logit)``, in (noise, 1).
    """
    return noise + (1 - noise) / (1 + np.exp(-logits))
