"""One published model, ready to rank: a swap of models is one assignment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load as load_weights

from recsys.config import Config
from recsys.errors import CheckpointError
from recsys.model.user_encoder import UserEncoder
from recsys.ranker import exploration
from recsys.ranker.bundle import Catalogue, Manifest, model_hash
from recsys.ranker.pool import Pool, Pools
from recsys.ranker.popularity import Popularity
from recsys.ranker.query import Query, Ranked, Rows
from recsys.ranker.scoring import Scorer, Top, fastest
from recsys.types import NewsId, ServedVectors

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class RankerConfig(Config):
    """How slates are filled."""

    explore: float = Field(default=0.0, ge=0.0, le=1.0)
    """Probability that a place is drawn uniformly from the remaining news instead of the best."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the first scores; the answer does not depend on it. auto: what is fastest here."""
    popularity_half_life_hours: float = Field(default=24.0, gt=0.0)
    """Age that halves a news' score on the popular rung."""


@dataclass(frozen=True)
class Ranker:
    """A catalogue, its encoder and its scores on one device; immutable, for many threads."""

    catalogue: Catalogue
    manifest: Manifest
    config: RankerConfig
    row_of: Mapping[NewsId, int]
    """Catalogue row of a news."""
    _encoder: UserEncoder
    _scorer: Scorer
    _pools: Pools
    _popularity: Popularity

    @classmethod
    def load(
        cls,
        catalogue: Catalogue,
        manifest: Manifest,
        encoder: bytes,
        *,
        device: torch.device | str = "cpu",
        config: RankerConfig | None = None,
    ) -> "Ranker":
        """Put a published model on a device.

        Args:
            catalogue: The news that can be ranked.
            manifest: Says how the encoder is built.
            encoder: Its weights, safetensors.
            device: Where to score, such as "cpu" or "cuda".
            config: How slates are filled.

        Raises:
            CheckpointError: The parts are not of one model.
        """
        config, device = config or RankerConfig(), torch.device(device)
        _check(catalogue, manifest, encoder)
        dtype = _DTYPES.get(config.precision) or fastest(manifest.num_news, manifest.dim, device)
        return cls(
            catalogue=catalogue,
            manifest=manifest,
            config=config,
            row_of={news: row for row, news in enumerate(catalogue.ids)},
            _encoder=_build_encoder(manifest, encoder).to(device),
            _scorer=Scorer(catalogue.vectors, device=device, dtype=dtype),
            _pools=Pools(catalogue),
            _popularity=Popularity(
                catalogue, half_life_seconds=config.popularity_half_life_hours * 3600
            ),
        )

    @property
    def device(self) -> torch.device:
        """Where scores are computed."""
        return self._scorer.device

    @property
    def precision(self) -> str:
        """Type of the first scores: "float32" or "bfloat16"."""
        return str(self._scorer.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def encode(self, histories: Sequence[Sequence[int]]) -> ServedVectors:
        """Encode readers from what they clicked.

        Args:
            histories: Catalogue rows, oldest first; the newest ``manifest.max_history`` count.

        Returns:
            ``[batch, dim]``, rounded as published vectors are; zero for an empty history.
        """
        newest = [np.asarray(one[-self.manifest.max_history :], np.int64) for one in histories]
        lengths = np.array([len(one) for one in newest])
        vectors = np.zeros((len(newest), self.manifest.dim), np.float16)
        if not lengths.any():
            return vectors
        mask = np.arange(lengths.max()) < lengths[:, None]  # [batch, length], padded on the right
        used, places = np.unique(np.concatenate(newest), return_inverse=True)
        history = np.zeros(mask.shape, np.int64)
        history[mask] = places
        encoded = self._encoder(
            torch.tensor(self.catalogue.read_vectors[used], device=self.device).float(),
            torch.tensor(history, device=self.device),
            torch.tensor(mask, device=self.device),
        )
        return encoded.half().cpu().numpy()

    def rank(self, queries: Sequence[Query], rng: np.random.Generator) -> list[Ranked]:
        """Fill slates, all scored in one go.

        Args:
            queries: What to rank, for whom.
            rng: Draws the places that explore.

        Returns:
            One slate a query: ``min(k, eligible news)`` places. Equal scores stand in the order
            of catalogue rows.
        """
        pools = self._pools.build(queries)
        tops = self._tops(queries, pools)
        return [
            self._fill(query, pool, *top, rng=rng)
            for query, pool, top in zip(queries, pools, tops, strict=True)
        ]

    def _tops(self, queries: Sequence[Query], pools: Sequence[Pool]) -> list[Top]:
        personal = {i: query.vector for i, query in enumerate(queries) if query.vector is not None}
        tops: dict[int, Top] = {
            i: self._popular(pools[i], query.k)
            for i, query in enumerate(queries)
            if query.vector is None
        }
        if personal:
            vectors = np.stack(list(personal.values()))
            ks = [queries[i].k for i in personal]
            found = self._scorer.top(vectors, [pools[i] for i in personal], ks)
            tops |= zip(personal, found, strict=True)
        return [tops[i] for i in range(len(queries))]

    def _popular(self, pool: Pool, k: int) -> Top:
        rows = self._popularity.top(pool, k)
        return rows, self._popularity.scores(rows)

    def _fill(
        self, query: Query, pool: Pool, best: Rows, scores: np.ndarray, *, rng: np.random.Generator
    ) -> Ranked:
        rows, propensities = exploration.fill(best, pool, explore=self.config.explore, rng=rng)
        if rows is not best:
            scores = self._scores(query, rows)
        return Ranked(rows, scores, propensities)

    def _scores(self, query: Query, rows: Rows) -> Float32[np.ndarray, " _places"]:
        if query.vector is None:
            return self._popularity.scores(rows)
        return self._scorer.scores(query.vector, rows)


def _check(catalogue: Catalogue, manifest: Manifest, encoder: bytes) -> None:
    """Refuse a mixture: vectors of two models give plausible nonsense together."""
    expected = (manifest.num_news, manifest.dim)
    for vectors in (catalogue.vectors, catalogue.read_vectors):
        if vectors.shape != expected:
            raise CheckpointError(
                f"catalogue: vectors of shape {vectors.shape}, but the manifest says {expected}"
            )
    found = model_hash(catalogue, encoder)
    if found != manifest.model_hash:
        raise CheckpointError(
            f"catalogue and encoder hash to {found}, but the manifest says {manifest.model_hash}: "
            "they are not of one model"
        )


def _build_encoder(manifest: Manifest, weights: bytes) -> UserEncoder:
    arguments: dict[str, Any] = {"dim": manifest.dim, **manifest.user_encoder}
    try:
        encoder = UserEncoder(**arguments)
        encoder.load_state_dict(load_weights(weights))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"encoder of model {manifest.model_hash}: weights and manifest do not fit: {reason}"
        ) from None
    return encoder.eval().requires_grad_(False)
