"""Listwise ranking losses over masked, weighted slates.

Every loss takes ``scores`` and ``clicks`` of shape ``[batch, slate]``, a boolean ``mask`` of real
(unpadded) news and ``weights`` (inverse propensities; 1 where none are used), and returns a scalar
mean over slates.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def softmax_loss(
    scores: Float[Tensor, "batch slate"],
    clicks: Float[Tensor, "batch slate"],
    mask: Bool[Tensor, "batch slate"],
    weights: Float[Tensor, "batch slate"] | None = None,
    *,
    unclicked: Float[Tensor, "batch others"] | None = None,
) -> Float[Tensor, ""]:
    r"""Softmax cross-entropy, inverse-propensity weighted when ``weights`` is given.

    .. math:: \ell(s, c) = -\sum_i w_i\, c_i \log \frac{e^{s_i}}{\sum_j e^{s_j}}

    With :math:`w_i = 1 / P(\text{examined}_i)` its expectation over examination is the loss on
    true relevance (Joachims et al., 2017, eq. 4, doi:10.1145/3018661.3018699). With one click and
    T sampled non-clicked news a slate it is FairRec's ranking loss (arXiv:2006.16742, eq. 9).

    Args:
        scores: Ranking scores, any real number.
        clicks: 1 where the news was clicked, else 0.
        mask: False for padding.
        weights: Inverse propensities, at least 1. None means unweighted.
        unclicked: Scores of news besides, which the sum over j holds too; -inf leaves one out.
    """
    scores = scores.masked_fill(~mask, -torch.inf)
    offered = scores if unclicked is None else torch.cat([scores, unclicked], dim=1)
    log_probs = scores - offered.logsumexp(dim=-1, keepdim=True)
    gains = clicks if weights is None else clicks * weights
    return -(gains * log_probs.masked_fill(~mask, 0.0)).sum(dim=-1).mean()
