r"""Estimates of true relevance from clicks that depend on having been seen.

Under the examination model a click is examination times relevance, :math:`E[c] = p\,r`. Each
function here returns an estimate of :math:`r`, to be given to a ranking loss in place of the
clicks: ``softmax_loss(scores, ips(clicks, weights), mask)`` is the loss on true relevance, in
expectation. One loss, three estimates; which one is a trade of bias against variance.

Shared parameters, all ``[batch, slate]``:

* ``clicks``: 1 where the news was clicked, else 0; 0 on padding.
* ``weights``: what to multiply by, above 0: inverse propensities, perhaps clipped or normalised.
* ``propensities``: of being seen, in (0, 1].

A weight or propensity on padding does not matter, as long as it is finite.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Slates = Float[Tensor, "batch slate"]


def ips(clicks: Slates, weights: Slates) -> Slates:
    r"""Inverse propensity scoring: :math:`\hat r_i = w_i c_i`.

    Unbiased when :math:`w = 1/p` (Joachims et al., 2017, eq. 4, doi:10.1145/3018661.3018699).
    """
    return weights * clicks


def snips(clicks: Slates, weights: Slates) -> Slates:
    r"""Self-normalised: :math:`\hat r_i = w_i c_i \sum c / \sum w c`, sums over the batch.

    A click weighs 1 on average, so that one rare click cannot blow up a step; consistent, with a
    bias that vanishes with the batch (Swaminathan and Joachims, 2015, NeurIPS, eq. 8). Without a
    click all are 0.
    """
    weighted = ips(clicks, weights)
    return weighted * (clicks.sum() / weighted.sum().clamp_min(torch.finfo(clicks.dtype).tiny))


def doubly_robust(
    clicks: Slates,
    weights: Slates,
    propensities: Slates,
    imputed: Slates,
    mask: Bool[Tensor, "batch slate"],
) -> Slates:
    r"""Imputed relevance, corrected by what clicks say: :math:`\tilde r + w (c - p \tilde r)`.

    With right propensities, unbiased if either :math:`w = 1/p` or the imputation is right: it
    takes the bias out of clipping and most of the variance out of IPS (Oosterhuis, 2023,
    doi:10.1145/3569453). Examination is not observed, so wrong *propensities* are not forgiven, as
    they are for ratings. At least 0 as long as :math:`w p \le 1`, which clipping keeps.

    Args:
        clicks: See above.
        weights: See above.
        propensities: See above.
        imputed: Relevance by another model, in [0, 1]; no gradient flows into it.
        mask: False for padding, which gets 0.
    """
    guess = imputed.detach()
    return torch.where(mask, guess + ips(clicks - propensities * guess, weights), 0.0)
