import pytest

from recsys.model.fairrec import MANY_CLICKS, ModelConfig


@pytest.mark.parametrize(
    ("clicks", "charged", "apart"),
    [(MANY_CLICKS, True, True), (MANY_CLICKS - 1.0, True, False), (MANY_CLICKS, False, False)],
)
def test_news_are_read_apart_where_clicks_can_teach_it_and_a_charge_needs_it(
    clicks, charged, apart
):
    settled = ModelConfig(read_apart="auto").settled(clicks, charged=charged)
    assert settled.read_apart is apart


@pytest.mark.parametrize("apart", [True, False])
def test_what_is_said_of_reading_apart_is_not_decided_again(apart):
    config = ModelConfig(read_apart=apart)
    assert config.settled(0.0 if apart else 1000.0, charged=True) == config
