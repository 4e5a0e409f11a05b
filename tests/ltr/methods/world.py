"""A tiny world that every method is trained in: relevance is one feature, position another bias."""

from functools import cache

import numpy as np
import torch

from recsys.ltr.batches import Batch, SimulatedSource
from recsys.ltr.clicks.position import PositionBased
from recsys.ltr.loop import LoopConfig, train
from recsys.ltr.methods import METHODS, Setup
from recsys.ltr.methods.method import Method
from recsys.ltr.rankers import Ranker

LENGTH = 5
CURVE = np.array([1.0, 0.6, 0.35, 0.2, 0.1])


def source(num_queries: int = 400, seed: int = 0) -> SimulatedSource:
    """Lists ordered by a feature that has half to do with relevance; appeal bends in another."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_queries * LENGTH, 3)).astype(np.float32)
    appeal = 0.1 + 0.8 / (1 + np.exp(-2 * features[:, 0] - features[:, 1]))
    order = np.argsort(-features[:, 1].reshape(num_queries, LENGTH), axis=1)
    shown = order + LENGTH * np.arange(num_queries)[:, None]
    mask = np.ones(shown.shape, dtype=bool)
    return SimulatedSource(features, shown, mask, appeal, PositionBased(CURVE))


def setup(hidden: tuple[int, ...] = (16,), max_weight: float = 20.0) -> Setup:
    curve = torch.from_numpy(CURVE.astype(np.float32))
    torch.manual_seed(0)
    return Setup(Ranker(3, hidden), LENGTH, max_weight, curve, curve)


@cache
def trained(name: str, steps: int = 300) -> Method:
    method = METHODS[name](setup())
    rng = np.random.default_rng(0)
    train(method, source().batches(128, rng), LoopConfig(steps=steps, rate=1e-2))
    return method


def slope_ratio(method: Method) -> float:
    """How much the ranker believes in the logging feature over the honest one; the truth is 0.5."""
    features = torch.from_numpy(source(seed=1).features)
    with torch.no_grad():
        score = method.ranker(features).numpy()
    design = np.column_stack([features.numpy(), np.ones(len(features))])
    slopes = np.linalg.lstsq(design, score, rcond=None)[0]
    return float(slopes[1] / slopes[0])


def batch(size: int = 64, seed: int = 0) -> Batch:
    return next(source().batches(size, np.random.default_rng(seed)))
