"""The training loop: one fused step after another, the best epoch kept, always resumable."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.data.splits import Questions
from recsys.errors import CheckpointError, Interrupted
from recsys.model.batch import Batch, NewsFeatures
from recsys.model.fairrec import FairRec, Interest
from recsys.training import checkpoint, judge, sentinel
from recsys.training.averaging import RunningMean
from recsys.training.corpus import Corpus
from recsys.training.counterfactual import choosing_weights
from recsys.training.erasure import erase, without_the_faint
from recsys.training.loader import Loader
from recsys.training.objective import Objective
from recsys.training.progress import Progress, TrainingDiverged
from recsys.training.settings import TrainConfig
from recsys.training.sharding import plain, restore, restore_optimizer, shard
from recsys.training.warm_start import warm_start

logger = logging.getLogger(__name__)

GRADIENT_NORM = 5.0
SLACK = 0.01
"""By how much validation attackers may find more than is allowed: they are estimates."""


Watch = Callable[[Progress, int, float], bool]
"""Called after each step with progress, clicks of the step and loss; True asks to stop."""


class Trainer:
    """A model, its opponents and its optimisers, over a corpus."""

    def __init__(
        self, corpus: Corpus, config: TrainConfig, folder: Path, device: torch.device
    ) -> None:
        """Set up from nothing. Call it inside `sharding.process_group`.

        Args:
            corpus: What to learn from.
            config: Every setting; ``config.seed`` decides all draws.
            folder: Where checkpoints go.
            device: Where to compute.
        """
        torch.manual_seed(config.seed)
        self._corpus, self._config, self._folder, self._device = corpus, config, folder, device
        self._settings = config.model_dump_json(exclude={"provenance"})
        came_from = config.provenance
        self._data = came_from.dataset_sha256 if came_from else {}
        weights = came_from and came_from.propensity
        self._propensity = weights.sha256 if weights else ""
        balanced = {} if config.fairness.balances else {"audience": 0}  # nobody would listen
        self.loader = Loader(
            corpus,
            config.loader.model_copy(update=balanced),
            max_history=config.model.max_history,
            seed=config.seed,
        )
        model = FairRec(config.model, corpus.news.sizes, decomposed=config.fairness.decomposed)
        hidden = corpus.beliefs if config.fairness.believes else corpus.beliefs[:, :0]
        self._warm = config.optimizer.warm_start and warm_start(model, corpus, hidden)
        objective = Objective(
            config.model.dim,
            corpus.attributes.num_classes,
            config.fairness,
            groups=list(corpus.groups.values()),
        )
        rates = config.optimizer
        self._placed = shard(model, learning_rate=rates.table_learning_rate, device=device)
        self.model: Any = getattr(self._placed, "module", self._placed)
        self.objective = objective.to(device)
        fused = getattr(self._placed, "fused_optimizer", None)
        tables = set(fused.params) if fused else set()
        dense = [p for name, p in self._placed.named_parameters() if name not in tables]
        self._optimizers: dict[str, Any] = {
            "dense": torch.optim.AdamW(
                [*dense, *self.objective.predictor.parameters()],
                lr=rates.learning_rate,
                weight_decay=rates.weight_decay,
            ),
        }
        fairness = config.fairness
        if corpus.attributes.names and fairness.decomposed and fairness.adversarial:
            self._optimizers["discriminator"] = torch.optim.Adam(
                self.objective.discriminator.parameters(), lr=rates.discriminator_learning_rate
            )
        if fused:
            self._optimizers["tables"] = fused
        self._mean = RunningMean(self._placed, rates.average_steps)
        self.progress = Progress()

    @property
    def latest(self) -> Path:
        """The checkpoint to go on from."""
        return self._folder / "latest.pt"

    @property
    def best(self) -> Path:
        """Weights of the best epoch so far."""
        return self._folder / "best.pt"

    def run(self, watch: Watch) -> None:
        """Train until patience or epochs end, then put the best epoch's weights back.

        Raises:
            Interrupted: ``watch`` asked to stop; `latest` holds all that was done.
        """
        done = self.progress
        if self._warm and not done.history:
            self._judge()
        while not self._is_over():
            self._run_epoch(self.loader, watch)
            mean, done.loss_sum = done.loss_sum / len(self.loader), 0.0
            done.epoch, done.step = done.epoch + 1, 0
            with self._mean.in_place():
                self._judge(loss=mean)
            self.save()
        restore(self._placed, checkpoint.load(self.best)["model"])
        logger.info(
            "best epoch %d of %d: validation nDCG@10 %.4f (patience %d)",
            done.best_epoch,
            done.epoch,
            done.best[1],
            self._config.optimizer.patience,
        )

    @property
    def _charges(self) -> bool:
        """Whether anything is charged for what is read off vectors."""
        return self._config.fairness.balances and bool(self._corpus.groups)

    def _is_over(self) -> bool:
        done, rates = self.progress, self._config.optimizer
        waited = done.epoch - done.best_epoch
        return done.epoch >= rates.max_epochs or (done.epoch > 0 and waited >= rates.patience)

    def _run_epoch(self, loader: Loader, watch: Watch) -> None:
        saved = time.monotonic()
        for batch in loader.epoch(self.progress.epoch, self.progress.step):
            share = (self.progress.epoch + self.progress.step / len(loader)) / max(
                self._config.fairness.warmup_epochs, 1e-9
            )
            loss = self.step(_on(batch, self._device), min(share, 1.0))
            self.progress.step += 1
            self.progress.loss_sum += loss
            stop = watch(self.progress, len(batch.history), loss)
            late = time.monotonic() - saved > 60 * self._config.optimizer.checkpoint_minutes
            if stop or late:
                self.save()
                saved = time.monotonic()
            if stop:
                raise Interrupted(f"stopped; the same training goes on from {self.latest}")

    def step(self, batch: Batch, warm: float) -> float:
        """Update opponents, then the model, on one batch; return the model's loss.

        Args:
            batch: On the trainer's device.
            warm: Share of the adversarial warm-up that is over, in [0, 1].
        """
        self._placed.train()
        interest: Interest = self._placed(batch)
        if "discriminator" in self._optimizers:
            for _ in range(self._config.fairness.discriminator_steps):
                self._update(
                    "discriminator", self.objective.discriminator_loss(interest.bias_free, batch)
                )
        loss = self.objective.ranking_loss(interest, batch)
        parts = self.objective.fairness_losses(
            interest, self._attribute_view(interest, batch), batch, progress=warm
        )
        total = torch.stack([loss, *parts.values()]).sum()
        if not torch.isfinite(total):
            raise TrainingDiverged(self.progress, {"ranking": loss, **parts})
        self._update("dense", total)
        self._mean.update()
        return float(total.detach())

    def _attribute_view(self, interest: Interest, batch: Batch) -> Tensor:
        """Return the bias-aware part; its attribute loss reaches the news only if it may."""
        if self._config.fairness.shared_gradient or not self._config.fairness.decomposed:
            return interest.bias_aware
        news = interest.news.read.detach() + interest.aside
        aware: Tensor = self.model.bias_aware(news, batch.history, batch.history_mask)
        return aware

    def _update(self, name: str, loss: Tensor) -> None:
        optimizer = self._optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], GRADIENT_NORM)
        optimizer.step()

    def _judge(self, **marks: float) -> None:
        """Judge what would be published."""
        served = self.model, self._corpus, self._config.model
        if self._config.fairness.erase:
            erase(*served)
        with without_the_faint(*served) if self._charges else nullcontext():
            self._keep_if_best(marks | {"ndcg@10": self._validate(), **self._attack()})

    def _keep_if_best(self, marks: dict[str, float]) -> None:
        """Note an epoch's marks, and its weights when they are the best so far."""
        done = self.progress
        done.history.append({"epoch": done.epoch, **marks})
        told = ", ".join(f"{name} {value:.4f}" for name, value in marks.items())
        logger.info("epoch %d: %s", done.epoch, told)
        if (merit := self._merit(marks)) > done.best:
            done.best, done.best_epoch = merit, done.epoch
            checkpoint.save({"model": plain(self._placed.state_dict())}, self.best)

    def _attack(self) -> dict[str, float]:
        """Measure what validation attackers find, where there is something to keep from them."""
        if not self._charges:
            return {}
        readers, vectors = judge.encode_everybody(self.model, self._corpus, self._config.model)
        beliefs, groups = self._corpus.beliefs[readers], list(self._corpus.groups.values())
        found = sentinel.leakage(vectors, beliefs, groups, seed=self._config.seed)
        self.objective.pressure.follow(found)
        return {
            "leakage": max(found),
            "balance": float(self.objective.pressure.weight.mean()),
        }

    def _merit(self, marks: dict[str, float]) -> tuple[float, float]:
        """Order epochs: those that give away too much by how much, all others by their ranking."""
        excess = max(0.0, marks.get("leakage", 0.0) - self._config.fairness.leakage - SLACK)
        return (-excess, marks["ndcg@10"])

    def _validate(self) -> float:
        """Mean validation nDCG@10, weighted as training is."""
        asked = self._corpus.split.validation
        values, weights = self.ask(asked), choosing_weights(self._corpus.log, asked)
        known = ~np.isnan(values)
        return float(np.average(values[known], weights=weights[known]))

    def ask(self, questions: Questions) -> np.ndarray:
        """Measure nDCG@10 of held-out events, with vectors rounded as they are served."""
        news = judge.encode_news(self.model, self._corpus)
        readers = judge.encode_readers(
            self.model.bias_free,
            news.read,
            self._corpus.log,
            readers=questions.reader,
            ends=questions.end,
            max_history=self._config.model.max_history,
        )
        return judge.answer(self._corpus.log, questions, readers, news.ranked.cpu().numpy())

    def save(self) -> None:
        """Write everything needed to go on."""
        checkpoint.save(
            {
                "settings": self._settings,
                "data": self._data,
                "propensity": self._propensity,
                "progress": asdict(self.progress),
                "model": plain(self._placed.state_dict()),
                "mean": self._mean.state_dict(),
                "objective": plain(self.objective.state_dict()),
                "optimizers": {n: plain(o.state_dict()) for n, o in self._optimizers.items()},
                "generator": torch.get_rng_state(),
            },
            self.latest,
        )

    def resume(self) -> None:
        """Go on from `latest`.

        Raises:
            CheckpointError: It is missing, damaged, or of other settings or data.
        """
        state = checkpoint.load(self.latest)
        try:
            if state["settings"] != self._settings:
                raise CheckpointError(f"{self.latest}: was made with other settings; see --force")
            if state["data"] != self._data:
                raise CheckpointError(f"{self.latest}: was made with other data; see --force")
            if state["propensity"] != self._propensity:
                raise CheckpointError(
                    f"{self.latest}: was made with {_told(state['propensity'])}, not "
                    f"{_told(self._propensity)}; give --propensity as it was, or --force"
                )
            restore(self._placed, state["model"])
            self._mean.load_state_dict(state["mean"])
            self.objective.load_state_dict(state["objective"])
            for name, optimizer in self._optimizers.items():
                restore_optimizer(optimizer, state["optimizers"][name])
            torch.set_rng_state(state["generator"])
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(f"{self.latest}: of another model or data ({error})") from None


def _told(sha256: str) -> str:
    return f"the propensities {sha256[:8]}" if sha256 else "no propensities"


def _on(batch: Batch, device: torch.device) -> Batch:
    news = NewsFeatures(*(column.to(device) for column in batch.news))
    return Batch(news, *(column.to(device) for column in batch[1:]))
