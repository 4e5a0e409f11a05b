"""How much two parts of the same reader's interest say the same."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def cosine_loss(
    first: Float[Tensor, "batch dim"], second: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    r"""Mean absolute cosine of the two parts, :math:`L_D` of FairRec, in [0, 1].

    .. math:: \frac{1}{U} \sum_u \frac{|u^b_u \cdot u^d_u|}{\|u^b_u\| \|u^d_u\|}

    A zero vector is orthogonal to everything (arXiv:2006.16742, eq. 8, without the minus sign
    that is printed there: the loss is to be minimised).
    """
    return functional.cosine_similarity(first, second, dim=-1).abs().mean()


def covariance_loss(
    first: Float[Tensor, "batch dim"], second: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    r"""Mean squared correlation between every unit of one part and every unit of the other.

    .. math:: \frac{1}{d^2} \left\| \tfrac{1}{U} \tilde U_b^\top \tilde U_d \right\|_F^2

    Vectors can be orthogonal reader by reader and still be linear images of each other; this is
    zero only when no unit of one part predicts a unit of the other linearly over the batch.
    """
    return (_standardised(first).T @ _standardised(second) / len(first)).square().mean()


def _standardised(part: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    centred = part - part.mean(dim=0)
    return centred / centred.square().mean(dim=0).add(1e-6).sqrt()
