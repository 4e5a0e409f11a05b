"""What training minimises: ranking, and what keeps the sensitive attributes out of one part."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from recsys.config import Config
from recsys.losses.adversarial import attribute_loss, confusion_loss
from recsys.losses.orthogonality import cosine_loss, covariance_loss
from recsys.losses.ranking import softmax_loss
from recsys.model.attribute_heads import AttributeHeads
from recsys.model.batch import Batch
from recsys.model.fairrec import Interest
from recsys.training.pressure import Pressure


class FairnessConfig(Config):
    """Weights of the losses that part the two interests. A preset's name sets all of them."""

    preset: Literal["off", "paper", "default"] = "default"
    """Where the other settings start from: see `PRESETS`."""
    decomposed: bool = True
    """Learn a bias-aware part beside the bias-free one; without it nothing below counts."""
    attribute: NonNegativeFloat = 1.0
    """Weight of guessing the attributes from the bias-aware part (lambda_G)."""
    orthogonality: NonNegativeFloat = 0.1
    """Weight of the two parts' cosine (lambda_D)."""
    covariance: NonNegativeFloat = 0.0
    """Weight of the two parts' correlation over a batch."""
    adversarial: NonNegativeFloat = 0.0
    """Weight of fooling the discriminator with the bias-free part (lambda_A)."""
    balance: NonNegativeFloat = 0.2
    """Weight, at first, of what the best kernel ridge attacker reads off the bias-free part about
    the groups that clicks give away: see `recsys.training.beliefs`."""
    leakage: float = Field(default=0.54, gt=0.5, le=1)
    """AUC of validation attackers to end at: after an epoch that leaves more of an attribute to be
    found, its weight of balance grows, otherwise it falls. Also what an epoch must hold to be
    chosen for its ranking."""
    balance_rate: float = Field(default=0.2, ge=0, le=10)
    """Largest change of the logarithm of a weight of balance after an epoch; 0 keeps the weight."""
    erase: bool = False
    """Erase what vectors tell linearly, in closed form, after each epoch; what follows is learned
    behind that erasure. Meant to stand in the place of balance."""
    target: Literal["reverse", "confusion"] = "confusion"
    """reverse: minus the discriminator's loss, as in the paper; confusion: the uniform guess."""
    bias_free_ranking: NonNegativeFloat = 1.0
    """Weight of ranking with the bias-free part alone, beside ranking with the sum."""
    residual: bool = True
    """Let the bias-aware part learn what the bias-free one leaves over, without changing it."""
    shared_gradient: bool = False
    """Let attribute losses of the bias-aware part change the news encoder, as the paper does."""
    discriminator: tuple[PositiveInt, ...] = (128, 128)
    """Hidden layers of the discriminator; none is the paper's linear one."""
    discriminator_steps: PositiveInt = 3
    """Discriminator updates for each update of the model."""
    warmup_epochs: NonNegativeInt = 0
    """Epochs over which the weight of the adversary grows from nothing."""

    @property
    def balances(self) -> bool:
        """Whether training charges what an attacker reads off an audience."""
        return self.decomposed and self.balance > 0

    @property
    def believes(self) -> bool:
        """Whether attributes of readers nobody told have to be estimated."""
        return self.erase or self.balances

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        """Accept a preset's name, or settings on top of one."""
        settings = {"preset": given} if isinstance(given, str) else given
        if not isinstance(settings, Mapping):
            return settings
        return {**PRESETS.get(str(settings.get("preset", "default")), {}), **settings}


PRESETS: Mapping[str, dict[str, Any]] = {
    "off": {"decomposed": False},
    "paper": {
        "orthogonality": 1.0,
        "adversarial": 0.5,
        "balance": 0.0,
        "bias_free_ranking": 0.0,
        "residual": False,
        "shared_gradient": True,
        "target": "reverse",
        "discriminator": (),
        "discriminator_steps": 1,
    },
    "default": {},
}
"""off: one part, ranking alone. paper: FairRec as published (arXiv:2006.16742), weights ours, as
it prints none. default: what was found to leak least at the same ranking quality."""


class Objective(nn.Module):
    """The losses, with the heads that guess attributes."""

    def __init__(
        self,
        dim: int,
        num_classes: list[int],
        config: FairnessConfig,
        *,
        groups: Sequence[int] = (),
    ) -> None:
        """Set up.

        Args:
            dim: Length of a reader's vector.
            num_classes: Values of each attribute.
            config: Which losses, and how much of each.
            groups: Columns of beliefs of each attribute.
        """
        super().__init__()
        self._config = config
        self.predictor = AttributeHeads(dim, num_classes)
        self.discriminator = AttributeHeads(dim, num_classes, hidden=config.discriminator)
        self.pressure = Pressure(
            groups,
            weight=config.balance,
            leakage=config.leakage,
            rate=config.balance_rate,
        )

    def ranking_loss(self, interest: Interest, batch: Batch) -> Tensor:
        """Rank with the bias-free part, with the sum of both, or with each in turn."""
        if not self._config.decomposed:
            return _rank(interest.bias_free, interest.news.ranked, batch)
        loss = _rank(self._base(interest) + interest.bias_aware, interest.news.ranked, batch)
        if self._config.bias_free_ranking:
            alone = _rank(interest.bias_free, interest.news.ranked, batch)
            loss = loss + self._config.bias_free_ranking * alone
        return loss

    def _base(self, interest: Interest) -> Tensor:
        """Return the bias-free part as the bias-aware one sees it."""
        return interest.bias_free.detach() if self._config.residual else interest.bias_free

    def fairness_losses(
        self, interest: Interest, attribute_view: Tensor, batch: Batch, *, progress: float
    ) -> dict[str, Tensor]:
        """Weighted losses that part the two interests; none when they are not decomposed.

        Args:
            interest: Both parts.
            attribute_view: The bias-aware part as the attribute losses may change it.
            batch: Labels, and for whom they are known.
            progress: Share of the warm-up that is over, in [0, 1].
        """
        config = self._config
        if not config.decomposed:
            return {}
        losses = {
            "attribute": config.attribute
            * _over_attributes(attribute_loss, self.predictor(attribute_view), batch),
            "orthogonality": config.orthogonality
            * cosine_loss(self._base(interest), interest.bias_aware),
        }
        if config.covariance:
            apart = covariance_loss(self._base(interest), interest.bias_aware)
            losses["covariance"] = config.covariance * apart
        if config.balances and batch.beliefs.shape[1]:
            losses["balance"] = self.pressure(interest.audience, batch.beliefs)
        if config.adversarial:
            losses["adversarial"] = progress * self._adversarial_loss(interest, batch)
        return losses

    def _adversarial_loss(self, interest: Interest, batch: Batch) -> Tensor:
        config = self._config
        guess = attribute_loss if config.target == "reverse" else _confusion
        sign = -1.0 if config.target == "reverse" else 1.0
        fooled = _over_attributes(guess, self.discriminator(interest.bias_free), batch)
        return sign * config.adversarial * fooled

    def discriminator_loss(self, bias_free: Float[Tensor, "batch dim"], batch: Batch) -> Tensor:
        """What the discriminator minimises; the readers' vectors stay as they are."""
        return _over_attributes(attribute_loss, self.discriminator(bias_free.detach()), batch)


def _rank(
    readers: Float[Tensor, "batch dim"], news: Float[Tensor, "items dim"], batch: Batch
) -> Float[Tensor, ""]:
    """Softmax loss over each sample's candidates and the batch's draw from the catalogue."""
    candidates = functional.embedding(batch.candidates, news)
    return softmax_loss(
        torch.einsum("bd,bsd->bs", readers, candidates),
        batch.clicks,
        batch.candidate_mask,
        batch.weights,
        unclicked=_drawn(readers, news, batch) if len(batch.negatives) else None,
    )


def _drawn(
    readers: Float[Tensor, "batch dim"], news: Float[Tensor, "items dim"], batch: Batch
) -> Float[Tensor, "batch negatives"]:
    """Score the batch's draw from the catalogue, -inf where a sample has the news already."""
    taken = _taken(batch, len(news))[:, batch.negatives]
    return (readers @ news[batch.negatives].T).masked_fill(taken, -torch.inf)


def _taken(batch: Batch, num_news: int) -> Bool[Tensor, "batch items"]:
    """Mark what stands among a sample's candidates, or was clicked and is not offered again."""
    taken = torch.zeros(len(batch.history), num_news + 1, dtype=torch.bool)
    taken = taken.to(batch.history.device)
    for rows, mask in (
        (batch.candidates, batch.candidate_mask),
        (batch.history, batch.history_mask),
    ):
        taken.scatter_(1, rows.masked_fill(~mask, num_news), True)
    return taken[:, :num_news]


def _over_attributes(loss: Any, logits: list[Tensor], batch: Batch) -> Tensor:
    """Sum a loss over attributes; zero when there are none."""
    terms = [
        loss(guess, batch.attributes[:, i], batch.known[:, i]) for i, guess in enumerate(logits)
    ]
    return torch.stack(terms).sum() if terms else torch.zeros(())


def _confusion(
    logits: Float[Tensor, "batch classes"], _: Int[Tensor, " batch"], known: Bool[Tensor, " batch"]
) -> Tensor:
    return confusion_loss(logits, known)
