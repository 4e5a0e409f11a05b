import threading

import pytest

from recsys.data.prefetch import prefetch


def test_items_keep_their_order():
    assert list(prefetch(range(50))) == list(range(50))


def test_items_are_made_in_another_thread():
    makers = list(prefetch(threading.get_ident() for _ in range(3)))
    assert threading.get_ident() not in makers


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise KeyError("broken")

    stream = prefetch(items())
    assert next(stream) == 1
    with pytest.raises(KeyError, match="broken"):
        next(stream)


def test_a_consumer_that_stops_early_ends_the_thread():
    made = []
    stream = prefetch(made.append(i) or i for i in range(1000))
    next(stream)
    stream.close()
    count = len(made)
    assert count < 10
    assert threading.active_count() == len(threading.enumerate())
    assert not any(thread.name.endswith("(_fill)") for thread in threading.enumerate())
