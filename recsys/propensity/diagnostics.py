"""Are the weights any good: how many observations are left, what they balance, where they fail."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from recsys.config import Config
from recsys.propensity.kernels import Covariates, Kernel, Pairs

FEW = 0.1
"""Warn when the effective sample is a smaller share of the observed than this."""
HEAVY = 0.01
"""Warn when one observation carries more of the total weight than this."""
RARE = 0.01
"""Warn when more than this share of propensities was clipped."""
UNBALANCED = 0.1
"""Standardised mean differences beyond this are imbalance (Austin, 2011,
doi:10.1080/00273171.2011.568786)."""


class Diagnosis(Config):
    """What the weights of a sample are worth."""

    observations: int
    effective_sample_size: float
    """Observations of equal weight that would be as noisy."""
    largest_weight: float
    """Relative to the mean weight."""
    share_clipped: float
    """Of the observations, those whose propensity was raised to the floor."""
    warnings: list[str]
    """In words; empty when nothing is to be said."""


def diagnose(
    weights: Float64[np.ndarray, " observed"], clipped: Bool[np.ndarray, " observed"]
) -> Diagnosis:
    """Count what the weights leave of the sample, and warn of poor overlap.

    Args:
        weights: Above 0.
        clipped: Where the propensity was raised to the floor.
    """
    count, share = len(weights), float(clipped.mean())
    effective, largest = effective_sample_size(weights), float(weights.max() / weights.mean())
    warnings = []
    if effective < FEW * count:
        warnings.append(
            f"poor overlap: {count} observations are worth {effective:.0f} of equal weight"
        )
    if largest > max(HEAVY * count, 10):
        warnings.append(f"one observation weighs as much as {largest:.0f} average ones")
    if share > RARE:
        warnings.append(f"{share:.1%} of the propensities were below the floor and raised to it")
    return Diagnosis(
        observations=count,
        effective_sample_size=effective,
        largest_weight=largest,
        share_clipped=share,
        warnings=warnings,
    )


def effective_sample_size(weights: Float64[np.ndarray, " observed"]) -> float:
    r"""Kish's :math:`(\sum w)^2 / \sum w^2`: between 1 and the number of observations."""
    scaled = weights / weights.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def mean_differences(
    table: Float32[np.ndarray, "rows dim"],
    observed: np.ndarray,
    weights: Float64[np.ndarray, " observed"] | None = None,
) -> Float64[np.ndarray, " dim"]:
    """Standardised mean difference of every covariate: observed minus whole, in the whole's s.d.

    A covariate that is constant gives 0.

    Args:
        table: Covariates of all readers (or all news); the whole counts each once.
        observed: Row of the table at each observation.
        weights: One an observation; None for none.
    """
    mass = np.bincount(observed, weights, minlength=len(table))
    gap = mass @ table.astype(np.float64) / mass.sum() - table.mean(axis=0, dtype=np.float64)
    spread = table.std(axis=0, dtype=np.float64)
    return np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 1e-9)


class RandomFeatures:
    r"""Cosines whose products average to the kernel: the MMD in time linear in the pairs.

    :math:`\phi(x) = \sqrt{2/F} \cos(\omega x + b)` (Rahimi and Recht, 2007). The frequencies of the
    Gaussian kernel are normal; those of the exponential kernel are multivariate Cauchy, a normal
    over the root of a chi-square with one degree of freedom.
    """

    def __init__(
        self, covariates: Covariates, kernel: Kernel, num: int, rng: np.random.Generator
    ) -> None:
        dims = covariates.readers.shape[1], covariates.news.shape[1]
        frequencies = rng.normal(size=(sum(dims), num))
        frequencies *= np.sqrt((2 if kernel.name == "gaussian" else 1) * kernel.scale)
        if kernel.name == "exponential":
            frequencies /= np.abs(rng.normal(size=num))
        shift = rng.uniform(0, 2 * np.pi, num)
        # the phases of a pair are its reader's plus its news'
        self.reader_phases = (covariates.readers @ frequencies[: dims[0]] + shift).astype(
            np.float32
        )
        self.news_phases = (covariates.news @ frequencies[dims[0] :]).astype(np.float32)

    def mean(
        self, pairs: Pairs, weights: Float64[np.ndarray, " pairs"] | None = None
    ) -> Float64[np.ndarray, " features"]:
        """Embed a weighted sample as one vector."""
        total = np.zeros(self.reader_phases.shape[1])
        for rows, block in pairs.blocks():
            values = np.cos(self.reader_phases[block.readers] + self.news_phases[block.news])
            mass = np.ones(len(block), np.float32) if weights is None else weights[rows]
            total += mass.astype(np.float32) @ values
        size = len(pairs) if weights is None else weights.sum()
        return total / size * np.sqrt(2 / len(total))


def mmd(
    embedding: Float64[np.ndarray, " features"], whole: Float64[np.ndarray, " features"]
) -> float:
    """Kernel maximum mean discrepancy of two samples embedded by the same :class:`RandomFeatures`.

    The largest difference in mean of any function of norm 1 (Gretton et al., 2012, JMLR 13); at
    least 0, at most sqrt(2).
    """
    return float(np.linalg.norm(embedding - whole))


def reliability(
    predicted: Float64[np.ndarray, " pairs"], happened: Bool[np.ndarray, " pairs"], bins: int = 10
) -> list[dict[str, float]]:
    """Compare predicted propensities with how often pairs were observed, in bins of equal count.

    Returns:
        For each bin ``predicted`` (mean), ``observed`` (rate) and ``pairs``, by rising prediction.
    """
    order = np.argsort(predicted, kind="stable")
    return [
        {
            "predicted": float(predicted[rows].mean()),
            "observed": float(happened[rows].mean()),
            "pairs": len(rows),
        }
        for rows in np.array_split(order, bins)
        if len(rows)
    ]
