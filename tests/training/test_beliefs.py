import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.training.attributes import ReaderAttributes
from recsys.training.beliefs import FOLDS, beliefs
from tests.training.logs import log_from

READERS, NEWS = 300, 40


def log_of(rng, told):
    """Readers whose clicks lean to even or odd news by a hidden bit, as strongly as ``told``."""
    bits = rng.integers(2, size=READERS)
    even = rng.random((READERS, 20)) < 0.5 + told * (bits[:, None] - 0.5)
    news = 2 * rng.integers(NEWS // 2, size=even.shape) + ~even
    return bits, log_from(news, np.ones(news.shape, dtype=bool), NEWS)


def attributes_of(bits, known):
    return ReaderAttributes(("bit",), (("0", "1"),), bits[:, None], known[:, None], known)


def all_believed(log, attributes):
    topics = [np.zeros(NEWS, dtype=int)]
    return beliefs(log, topics, attributes, np.arange(log.clicks.news.size), seed=0)


def believed(log, attributes):
    return all_believed(log, attributes)["bit"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_readers_nobody_told_are_believed_by_their_clicks(rng):
    bits, log = log_of(rng, told=0.4)
    known = np.arange(READERS) < READERS // 2
    found = believed(log, attributes_of(bits, known))
    assert roc_auc_score(bits[~known], found[~known, 1]) > 0.9
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_clicks_that_tell_nothing_leave_beliefs_near_the_share_of_the_group(rng):
    bits, log = log_of(rng, told=0.0)
    known = np.ones(READERS, dtype=bool)
    found = believed(log, attributes_of(bits, known))
    assert np.abs(found[:, 1] - bits.mean()).mean() < 0.1


def test_labels_of_readers_kept_for_the_audit_change_nothing(rng):
    bits, log = log_of(rng, told=0.4)
    known = np.arange(READERS) < READERS // 2
    poisoned = np.where(known, bits, 1 - bits)
    first, second = (believed(log, attributes_of(b, known)) for b in (bits, poisoned))
    np.testing.assert_array_equal(first, second)


def test_many_leanings_to_rare_topics_are_believed(rng):
    # One topic takes most clicks; of forty rare ones each group clicks its half more often.
    bits = rng.integers(2, size=READERS)
    favoured = np.arange(40) % 2 == bits[:, None]
    odds = np.hstack([np.full((READERS, 1), 100.0), np.where(favoured, 1.4, 0.7)])
    topic = np.array([rng.choice(41, 80, p=each / each.sum()) for each in odds])
    news = topic * 50 + rng.integers(50, size=topic.shape)
    log = log_from(news, np.ones(news.shape, dtype=bool), 41 * 50)
    known = np.arange(READERS) < READERS // 2
    topics, train = [np.arange(41).repeat(50)], np.arange(news.size)
    found = beliefs(log, topics, attributes_of(bits, known), train, seed=0)["bit"]
    assert roc_auc_score(bits[~known], found[~known, 1]) > 0.95


def test_readers_are_believed_by_what_they_passed_over(rng):
    # Each clicks as many even as odd news, but those of one group pass over more even ones.
    bits = rng.integers(2, size=READERS)
    even = np.tile([True, False], (READERS, 20))
    shown_odd = np.where(bits == 1, 0.8, 0.2)[:, None]
    passed = rng.random((READERS, 20)) > shown_odd
    news = 2 * rng.integers(NEWS // 2, size=(READERS, 60)) + ~np.hstack([passed, even])
    log = log_from(news, np.arange(60) >= np.full((READERS, 1), 20), NEWS)
    known = np.arange(READERS) < READERS // 2
    topics, train = [np.arange(NEWS) % 2], np.arange(log.clicks.news.size)
    found = beliefs(log, topics, attributes_of(bits, known), train, seed=0)["bit"]
    assert roc_auc_score(bits[~known], found[~known, 1]) > 0.9


def test_an_attribute_too_few_readers_state_is_left_out_aloud(rng, caplog):
    bits, log = log_of(rng, told=0.4)
    known = np.arange(READERS) < FOLDS - 1
    assert all_believed(log, attributes_of(bits, known)) == {}
    assert "bit is not protected" in caplog.text


def test_an_attribute_with_one_value_is_left_out_aloud(rng, caplog):
    bits, log = log_of(rng, told=0.4)
    assert all_believed(log, attributes_of(0 * bits, np.ones(READERS, dtype=bool))) == {}
    assert "bit is not protected" in caplog.text


@pytest.mark.parametrize("value", [2, 1])
def test_a_value_that_hardly_anybody_states_leaves_the_others_protected(rng, value):
    # as the last value, and as one in the middle that training does not know at all
    bits, log = log_of(rng, told=0.4)
    known = np.arange(READERS) < READERS // 2
    labels = bits if value == 2 else 2 * bits
    labels = np.where(np.isin(np.arange(READERS), [0, 1, READERS - 1]), value, labels)
    known[:2] = value == 2
    found = believed(log, attributes_of(labels, known))
    others = ~known & (labels != value)
    assert found.shape == (READERS, 2)
    assert roc_auc_score(bits[others], found[others, 1]) > 0.9
