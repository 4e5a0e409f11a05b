import numpy as np
import pandas as pd
import pytest

from recsys.errors import ConfigError
from recsys.training.attributes import protected, reader_attributes

EVERYBODY = np.ones(3, dtype=bool)
TABLE = pd.DataFrame({"user_id": ["b", "a"], "gender": ["m", "f"], "age": [None, "30-39"]})


def test_attributes_follow_the_logs_readers_and_missing_ones_are_masked():
    attributes = reader_attributes(TABLE, ["a", "b", "c"], EVERYBODY)
    assert attributes.names == ("gender", "age")
    assert attributes.values == (("f", "m"), ("30-39",))
    assert attributes.labels.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert attributes.known.tolist() == [[True, True], [True, False], [False, False]]


def test_readers_kept_for_the_audit_are_unknown_to_training():
    fit = np.array([True, False, True])
    attributes = reader_attributes(TABLE, ["a", "b", "c"], fit)
    assert not attributes.known[1].any()
    assert attributes.known[0].all()


def test_a_log_without_attributes_has_none():
    attributes = reader_attributes(None, ["a", "b", "c"], EVERYBODY)
    assert attributes.num_classes == []
    assert attributes.labels.shape == attributes.known.shape == (3, 0)


def test_only_named_attributes_are_protected(tiny_dataset):
    assert list(protected(tiny_dataset, ("gender",)).columns) == ["user_id", "gender"]
    with pytest.raises(ConfigError, match=r"\['agee'\] not in .*it has \['gender'\]"):
        protected(tiny_dataset, ("agee",))


def test_what_nobody_states_is_no_attribute(tiny_dataset):
    tiny_dataset.attributes["age"] = None
    assert list(protected(tiny_dataset, ()).columns) == ["user_id", "gender"]
    with pytest.raises(ConfigError, match=r"\['age'\] not in .*it has \['gender'\]"):
        protected(tiny_dataset, ("age",))
