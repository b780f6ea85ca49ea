import pytest

from backend.untrusted.by_name import _read_one
from workbench.errors import BadInput
from workbench.manifest import Input, Manifest

ROW = Input((2,), name="row")


@pytest.mark.parametrize("number", [float("inf"), -1e308])
def test_a_number_that_the_model_cannot_hold_is_refused(number: float) -> None:
    with pytest.raises(BadInput, match="row holds a number beyond those of float32"):
        _read_one([1.0, number], Manifest(), ROW, False)


def test_a_missing_value_is_a_value() -> None:
    assert _read_one([1.0, float("nan")], Manifest(), ROW, False).shape == (1, 2)
