"""What `recsys propensity` says of its weights: covariate balance, kernel MMD, reliability."""

from typing import Any

import numpy as np

from pipelines.propensity_log import Seen
from recsys.propensity import diagnostics
from recsys.propensity.covariates import Described
from recsys.propensity.diagnostics import RandomFeatures
from recsys.propensity.estimate import WHOLE, Anywhere
from recsys.propensity.kernels import Kernel, median_scale, population

FEATURES = 512
"""Random features of the reported MMD."""


def differences(
    seen: Seen, described: Described, weights: np.ndarray, profile: str, seed: int
) -> dict[str, Any]:
    """Compare observed and whole before and after weighting, covariate by covariate and by MMD."""
    lines = []
    for side, names, table, rows in (
        ("reader", described.reader_names, described.covariates.readers, seen.pairs.readers),
        ("news", described.news_names, described.covariates.news, seen.pairs.news),
    ):
        before = diagnostics.mean_differences(table, rows)
        after = diagnostics.mean_differences(table, rows, weights)
        lines += [
            {"covariate": f"{side} {name}", "before": float(b), "after": float(a)}
            for name, b, a in zip(names, before, after, strict=True)
        ]
    rng = np.random.default_rng(seed)  # its own: a report never moves an estimate
    whole = population(*seen.shape, WHOLE, rng)
    kernel = Kernel(profile, median_scale(described.covariates, whole, rng))
    features = RandomFeatures(described.covariates, kernel, FEATURES, rng)
    target = features.mean(whole)
    return {
        "standardised_mean_differences": lines,
        "mmd_before": diagnostics.mmd(features.mean(seen.pairs), target),
        "mmd_after": diagnostics.mmd(features.mean(seen.pairs, weights), target),
        "covariates_stood_in_for": described.filled,
    }


def reliability(seen: Seen, anywhere: Anywhere, rng: np.random.Generator) -> list[dict[str, float]]:
    """Compare predicted with observed exposure on the whole, in tenths."""
    whole = population(*seen.shape, WHOLE, rng)
    codes = seen.pairs.readers * seen.shape[1] + seen.pairs.news
    happened = np.isin(whole.readers * seen.shape[1] + whole.news, codes)
    return diagnostics.reliability(anywhere(whole), happened)
