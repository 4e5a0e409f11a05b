"""Embedding tables, as torchrec's; the model defines them, `training.sharding` places them.

Each lookup asks for distinct rows, so that a fused optimiser updates a row once a step.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torchrec.modules.embedding_configs import EmbeddingConfig
from torchrec.modules.embedding_modules import EmbeddingCollection
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

Width = Annotated[int, Field(gt=0, multiple_of=4)]
"""Numbers in a row of a table that can be trained: fbgemm's fused tables take fours alone."""


class EmbeddingTables(nn.Module):
    """Named tables of one width, looked up together."""

    def __init__(self, sizes: Mapping[str, int], dim: int, *, scale: float | None = None) -> None:
        """Define the tables.

        Args:
            sizes: Rows of each table; row 0 stands for padding or unknown and is learned as well.
            dim: Width of all tables.
            scale: Bound of the uniform initial values; by default ``1 / sqrt(dim)``.
        """
        super().__init__()
        bound = scale or 1 / math.sqrt(dim)
        init = partial(nn.init.uniform_, a=-bound, b=bound)
        self.collection = EmbeddingCollection(
            tables=[
                EmbeddingConfig(
                    name=name,
                    num_embeddings=size,
                    embedding_dim=dim,
                    feature_names=[name],
                    init_fn=init,
                )
                for name, size in sizes.items()
            ]
        )

    def forward(self, rows: Mapping[str, Int[Tensor, " _"]]) -> dict[str, Float[Tensor, "_ dim"]]:
        """Look up rows of each table; one key a table, in the order of their definition."""
        # One sequence a table: tables may be asked for different numbers of rows.
        features = KeyedJaggedTensor(
            keys=list(rows),
            values=torch.cat(list(rows.values())),
            lengths=torch.tensor([len(value) for value in rows.values()]),
        )
        found = self.collection(features)
        return {name: found[name].values() for name in rows}


def distinct(
    rows: Int[Tensor, "*shape"],
) -> tuple[Int[Tensor, " distinct"], Int[Tensor, "*shape"]]:
    """List the distinct values of ``rows`` and, in its shape, where each of them is listed."""
    values, index = torch.unique(rows, return_inverse=True)
    return values, index
