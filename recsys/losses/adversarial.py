"""What a head that guesses a sensitive attribute is charged, and what its victim is.

``logits`` are ``[batch, classes]`` for one attribute, ``labels`` its classes, and ``known`` says
for whom it is known: the others count for nothing. A batch in which nobody's attribute is known
costs zero.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def attribute_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Int[Tensor, " batch"],
    known: Bool[Tensor, " batch"],
) -> Float[Tensor, ""]:
    r"""Cross-entropy of the attribute, :math:`L_G` and :math:`L_A` of FairRec.

    .. math:: -\frac{1}{U} \sum_{u\ \text{known}} \log \hat z_u[z_u]

    The predictor on bias-aware vectors and the discriminator minimise it; bias-free vectors are
    trained on its negative (arXiv:2006.16742, eqs. 4, 6).
    """
    return _mean(functional.cross_entropy(logits, labels, reduction="none"), known)


def confusion_loss(
    logits: Float[Tensor, "batch classes"], known: Bool[Tensor, " batch"]
) -> Float[Tensor, ""]:
    r"""Cross-entropy towards the uniform guess: what bias-free vectors are trained on instead.

    .. math:: -\frac{1}{U C} \sum_u \sum_c \log \hat z_u[c]

    It is least, :math:`\log C`, where the discriminator knows nothing; minus cross-entropy has no
    floor and lets a model win by fooling the discriminator into certainty of the wrong class
    (Tzeng et al., 2015, arXiv:1510.02192, eq. 4).
    """
    return _mean(-functional.log_softmax(logits, dim=-1).mean(dim=-1), known)


def _mean(values: Float[Tensor, " batch"], known: Bool[Tensor, " batch"]) -> Float[Tensor, ""]:
    return (values * known).sum() / known.sum().clamp(min=1)
