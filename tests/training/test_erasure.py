import dataclasses

import numpy as np
import pytest

from recsys.fairness import erasure as closed_form
from recsys.training import judge
from recsys.training.erasure import erase
from recsys.training.loop import Trainer


@pytest.fixture
def model(corpus, tiny_config, tmp_path, cpu, group):
    return Trainer(corpus, tiny_config, tmp_path, cpu).model


def encoded(model, corpus, config):
    return judge.encode_everybody(model, corpus, config.model)


def test_what_is_folded_in_is_the_closed_form_on_everybodys_beliefs(model, corpus, tiny_config):
    readers, vectors = encoded(model, corpus, tiny_config)
    expected = closed_form.fit(vectors, corpus.beliefs[readers]).apply(vectors)
    erase(model, corpus, tiny_config.model)
    _, erased = encoded(model, corpus, tiny_config)
    assert np.abs(expected - vectors).max() > 0.2
    np.testing.assert_allclose(erased, expected, atol=0.02)  # encoders round


def test_what_was_erased_before_is_put_back_first(model, corpus, tiny_config):
    erase(model, corpus, tiny_config.model)
    _, once = encoded(model, corpus, tiny_config)
    backwards = dataclasses.replace(corpus, beliefs=corpus.beliefs[::-1].copy())
    erase(model, backwards, tiny_config.model)
    erase(model, corpus, tiny_config.model)
    _, again = encoded(model, corpus, tiny_config)
    np.testing.assert_allclose(again, once, atol=1e-3)


def test_without_beliefs_nothing_changes(model, corpus, tiny_config):
    _, before = encoded(model, corpus, tiny_config)
    erase(model, dataclasses.replace(corpus, groups={}), tiny_config.model)
    np.testing.assert_array_equal(encoded(model, corpus, tiny_config)[1], before)
