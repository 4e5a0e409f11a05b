import json
import math

import numpy as np

from pipelines.console import emit


def test_a_number_that_is_not_finite_is_null_however_deep_it_stands(capsys):
    emit({"a": math.nan, "b": [1.5, (-math.inf, {"c": np.float64("nan")})]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, [None, {"c": None}]]}
