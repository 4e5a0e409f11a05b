from pipelines.auditing.text import interval, number, percent


def test_unknown_numbers_are_dashes():
    assert (number(None), percent(None)) == ("–", "–")
    assert interval({"auc": 0.5, "low": None, "high": None}) == "0.500 [–]"


def test_intervals_are_in_brackets():
    assert interval({"mean": 0.1, "low": -0.1, "high": 0.3}, 2, "+") == "+0.10 [-0.10, +0.30]"
    assert interval({"auc": 0.1, "low": 0.0, "high": 0.3}, 1, bounds_only=True) == "[0.0, 0.3]"


def test_small_shares_keep_a_digit():
    assert [percent(value) for value in (0.5, 0.041)] == ["50 %", "4.1 %"]
