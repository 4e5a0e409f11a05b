"""Where embedding tables live and how they are updated; the model itself knows of neither.

torchrec's DistributedModelParallel swaps every EmbeddingCollection for fbgemm's fused tables: the
optimiser runs inside the backward pass and touches only the rows that were looked up.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchrec.distributed.embedding import EmbeddingCollectionSharder
from torchrec.distributed.model_parallel import DistributedModelParallel
from torchrec.distributed.sharding_plan import construct_module_sharding_plan, table_wise
from torchrec.distributed.types import ShardedTensor, ShardingPlan
from torchrec.modules.embedding_modules import EmbeddingCollection
from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward
from torchrec.optim.keyed import KeyedOptimizer
from torchrec.optim.rowwise_adagrad import RowWiseAdagrad

# torchrec asks torch at every step whether it is being traced, by a name that torch warns about.
logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)


@contextmanager
def process_group() -> Iterator[None]:
    """Open this process' own gloo group, without a port, unless one is open already."""
    if dist.is_initialized():
        yield
        return
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def shard(model: nn.Module, *, learning_rate: float, device: torch.device) -> nn.Module:
    """Place a model's tables on ``device`` with row-wise Adagrad fused into the backward pass.

    Row-wise Adagrad keeps one number a row (Gupta et al., 2014; torchrec's default for sparse
    tables). Call it inside :func:`process_group`; dense parameters are moved, not changed.
    """
    tables = {n: m for n, m in model.named_modules() if isinstance(m, EmbeddingCollection)}
    if not tables:
        return model.to(device)
    apply_optimizer_in_backward(
        RowWiseAdagrad,
        [weight for table in tables.values() for weight in table.parameters()],
        {"lr": learning_rate},
    )
    weights = plain(model.state_dict())
    placed = DistributedModelParallel(
        model,
        device=device,
        plan=ShardingPlan({name: _on_this_device(t, device) for name, t in tables.items()}),
        sharders=cast(Any, [EmbeddingCollectionSharder()]),
        init_data_parallel=False,
    )
    restore(placed, weights)
    return placed


def _on_this_device(tables: EmbeddingCollection, device: torch.device) -> Any:
    """Plan every table whole, fused, on the one device there is."""
    whole = table_wise(rank=0, compute_kernel="fused")
    return construct_module_sharding_plan(
        tables,
        {config.name: whole for config in tables.embedding_configs()},
        sharder=cast(Any, EmbeddingCollectionSharder()),
        world_size=1,
        local_size=1,
        device_type=device.type,
    )


def plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a state dict, nested or not, with ordinary CPU tensors where shards were."""
    return {key: _plain(value) for key, value in state.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, ShardedTensor):
        value = value.local_shards()[0].tensor
    return value.detach().cpu().clone() if isinstance(value, Tensor) else value


def restore(placed: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Write plain weights into a placed model, in place."""
    with torch.no_grad():
        _copy(placed.state_dict(), weights)


def restore_optimizer(optimizer: Any, state: Mapping[str, Any]) -> None:
    """Give an optimiser its state back; a fused one keeps its own tensors and is written into."""
    if isinstance(optimizer, KeyedOptimizer):
        with torch.no_grad():
            _copy(optimizer.state_dict()["state"], state["state"])
    else:
        optimizer.load_state_dict(state)


def _copy(into: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Copy values into the tensors of a state dict of the same shape; scalars are left alone."""
    for key, target in into.items():
        if isinstance(target, Mapping):
            _copy(target, values[key])
        elif isinstance(target, ShardedTensor):
            target.local_shards()[0].tensor.copy_(values[key])
        elif isinstance(target, Tensor):
            target.copy_(values[key])
