import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.draws import stream

seeds = st.integers(0, 2**32)


@given(seeds)
def test_a_purpose_draws_the_same_again(seed):
    assert stream(seed, "split").random() == stream(seed, "split").random()


@given(seeds)
def test_purposes_and_plain_generators_of_one_seed_draw_apart(seed):
    plain = np.random.default_rng(seed).random(4)
    draws = [plain, stream(seed, "split").random(4), stream(seed, "attributes").random(4)]
    assert len({tuple(draw) for draw in draws}) == 3
