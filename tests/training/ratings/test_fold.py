import numpy as np


def test_training_and_validation_are_apart_and_all_that_was_chosen(honest):
    assert len(honest.training) + len(honest.validation) == len(honest.study.chosen)
    pairs = [
        part.pairs.readers * 50 + part.pairs.news for part in (honest.training, honest.validation)
    ]
    assert not np.intersect1d(*pairs).size
