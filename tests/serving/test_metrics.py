import urllib.request

import numpy as np
import pytest

from recsys.errors import AddressInUse
from recsys.serving.metrics import MAX_LABELS, ExposureCounter, Metrics, page


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_exposure_is_discounted_by_place():
    metrics = Metrics()
    counter = ExposureCounter(metrics.exposure, category=["a", "b", "a"])
    counter.add([np.array([0, 1, 2]), np.array([1])])
    first, second, third = (1 / np.log2(1 + place) for place in (1, 2, 3))
    total = "recsys_exposure_total"
    assert value(metrics, total, kind="category", value="a") == pytest.approx(first + third)
    assert value(metrics, total, kind="category", value="b") == pytest.approx(second + first)


def test_news_without_a_category_count_as_unknown():
    metrics = Metrics()
    ExposureCounter(metrics.exposure, category=[""]).add([np.array([0])])
    assert value(metrics, "recsys_exposure_total", kind="category", value="unknown") == 1


def test_rare_providers_share_one_label():
    metrics = Metrics()
    names = [f"p{i}" for i in range(MAX_LABELS) for _ in range(2)] + ["rare", "rarer"]
    counter = ExposureCounter(metrics.exposure, provider=names)
    counter.add([np.array([len(names) - 2]), np.array([len(names) - 1])])
    assert value(metrics, "recsys_exposure_total", kind="provider", value="other") == 2


def test_empty_slates_count_nothing():
    metrics = Metrics()
    ExposureCounter(metrics.exposure, category=["a"]).add([np.array([], np.int64)])
    assert value(metrics, "recsys_exposure_total", kind="category", value="a") == 0


def test_a_call_is_counted_by_its_code_even_when_it_fails():
    metrics = Metrics()
    with pytest.raises(KeyError), metrics.timed("Rank") as ends_with:
        ends_with("INTERNAL")
        raise KeyError
    assert value(metrics, "recsys_requests_total", method="Rank", code="INTERNAL") == 1
    assert value(metrics, "recsys_request_seconds_count", method="Rank") == 1


def test_the_page_is_served_and_its_port_freed():
    metrics = Metrics()
    metrics.shed.inc(3)
    for _ in range(2):
        with page(metrics, "127.0.0.1", 0) as port:
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert "recsys_shed_total 3.0" in text


def test_a_taken_port_is_named():
    with (
        page(Metrics(), "127.0.0.1", 0) as port,
        pytest.raises(AddressInUse, match=str(port)),
        page(Metrics(), "127.0.0.1", port),
    ):
        pass


def test_no_port_no_page():
    with page(Metrics(), "127.0.0.1", None) as port:
        assert port is None
