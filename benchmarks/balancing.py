"""Does kernel balancing fit ten million observations into 8 GiB, in time linear in their number?

Each size runs in its own process, so that its peak memory is its own. Everything between the raw
pairs and the weights is timed: candidates, adaptive choice, evaluation, the dual.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from recsys.propensity.diagnostics import effective_sample_size
from recsys.propensity.estimate import Balancer, KernelConfig, Observations
from recsys.propensity.kernels import Covariates, Pairs

READERS, NEWS, DIM = 200_000, 50_000, 8
LIMIT_BYTES = 8 << 30


def synthetic(size: int, rng: np.random.Generator) -> Observations:
    """Readers see news near their own taste, and popular ones more."""
    readers = rng.normal(size=(READERS, DIM)).astype(np.float32)
    news = rng.normal(size=(NEWS, DIM)).astype(np.float32)
    by_taste = np.argsort(news[:, 0])
    rows = rng.integers(READERS, size=size)
    rank = np.clip(readers[rows, 0] * 0.2 + rng.normal(size=size) * 0.4 + 0.5, 0, 0.999999)
    pairs = Pairs(rows, by_taste[(rank * NEWS).astype(np.int64)])
    return Observations(pairs, (READERS, NEWS), Covariates(readers, news))


def measure(size: int) -> dict[str, float]:
    """Balance one synthetic sample; seconds and peak memory are this process's."""
    rng = np.random.default_rng(0)
    observations = synthetic(size, rng)
    errors = rng.random(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started, worked = time.perf_counter(), time.process_time()
    weights, notes = Balancer(observations, None, KernelConfig(), rng).weights(errors)
    return {
        "observations": size,
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - worked,
        "data_bytes": before,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "effective_sample_size": effective_sample_size(weights),
        "largest_imbalance_before": notes["largest_imbalance_before"],
        "largest_imbalance_after": notes["largest_imbalance_after"],
    }


def main() -> None:
    """Measure every size and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000000,3000000,10000000")
    parser.add_argument("--one", type=int, help="Measure this size in this process.")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    runs = []
    for size in options.sizes.split(","):
        command = [sys.executable, __file__, "--one", size]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    first, last = runs[0], runs[-1]
    growth = last["observations"] / first["observations"]
    result = {
        "name": "balancing",
        "ratio": LIMIT_BYTES / last["peak_bytes"],
        "unit": "8 GiB over peak memory of the largest size; at least 1 is within the limit",
        "peer": "limit",
        "linearity": last["processor_seconds"] / first["processor_seconds"] / growth,
        "linearity_unit": "processor time an observation at the largest size over the smallest's",
        "settings": {"kernel": KernelConfig().model_dump(), "readers": READERS, "news": NEWS},
        "runs": runs,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
