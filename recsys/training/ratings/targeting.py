r"""Imputed labels that weighted ratings have nothing left to say about: the targeting step.

A doubly robust loss is the imputed loss plus a correction by what was observed, and as the loss of
a label is linear in it, the correction is linear in the scores and without a bound:

.. math:: \frac{1}{|D|} \sum_D \ell(\tilde y, \hat y) + \frac1n \sum_O w \, (\tilde y - y) \, \hat y

Targeting moves the labels instead, until little is left of the correction for any score made of
functions h: the loss is then that of labels between 0 and 1 alone (van der Laan and Rubin, 2006,
doi:10.2202/1557-4679.1043; for recommenders Li et al., ICLR 2023, arXiv 2203.10258).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from recsys.propensity.kernels import Functions, Pairs
from recsys.training.ratings.imputation import Imputation


@dataclass(frozen=True)
class Targeted:
    r"""Labels of any pair: :math:`\sigma(\operatorname{logit} \tilde y + \epsilon [1, h])`."""

    imputation: Imputation
    functions: Functions
    """The h."""
    shift: Float64[np.ndarray, " one_plus_functions"]
    """Epsilon, from :func:`fluctuation`."""

    def __call__(
        self, readers: Int64[Tensor, " pairs"], news: Int64[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Return the labels of pairs, between 0 and 1."""
        values = self.functions(Pairs(readers.numpy(), news.numpy()))
        shift = self.shift[0] + values @ self.shift[1:]
        imputed = self.imputation.predict(readers, news)
        return (imputed + torch.as_tensor(shift, dtype=torch.float32)).sigmoid()


def fluctuation(
    values: Float32[np.ndarray, "observed functions"],
    imputed: Float64[np.ndarray, " observed"],
    labels: Float64[np.ndarray, " observed"],
    weights: Float64[np.ndarray, " observed"],
    *,
    ridge: float = 1.0,
) -> Float64[np.ndarray, " one_plus_functions"]:
    r"""Fit how far labels must move.

    .. math:: \epsilon = \arg\min \frac{1}{\sum w} \sum_O w \,
              \ell(y, \sigma(\operatorname{logit} \tilde y + \epsilon \cdot [1, h]))
              + \frac{\rho}{2} \sum_{j>0} \epsilon_j^2

    where :math:`\sum_O w (\tilde y - y) = 0`, and :math:`\sum_O w (\tilde y - y) h_j` is as near 0
    as the penalty allows. If the imputation is right, nothing moves; if the weights are, the mean
    of the moved labels over all pairs is that of the ratings: unbiased if either is.

    Args:
        values: Of the functions h at the observed pairs.
        imputed: Logits of observed pairs, by a model that has not seen their labels.
        labels: 0 or 1.
        weights: Above 0; only their ratios matter.
        ridge: Rho, relative to the functions' mean variance.
    """
    shares = weights / weights.sum()
    columns = np.hstack([np.ones((len(values), 1)), values])
    spread = (shares @ (values - shares @ values) ** 2).mean()
    penalty = ridge * spread * (np.arange(columns.shape[1]) > 0)

    def loss(shift: np.ndarray) -> tuple[float, np.ndarray]:
        logits = imputed + columns @ shift
        value = shares @ (np.logaddexp(0, logits) - labels * logits) + penalty @ shift**2 / 2
        return value, (shares * (expit(logits) - labels)) @ columns + penalty * shift

    start = np.zeros(columns.shape[1])
    options = {"ftol": 0.0, "gtol": 1e-7}
    return minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
