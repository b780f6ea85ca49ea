"""What a setting may be, as ``--set`` says it, and which values are tried next."""

import random

import pytest

from workbench.errors import BadInput, RecipeError
from workbench.recipes import Recipe
from workbench.recipes.capitals import capitals, set_capitals
from workbench.sweeps import Choice, Domain, Range, Tried, parse_space, propose, searching

RECIPE = Recipe(
    "SCALE = 2\n",
    "# ünïcode\r\ndef load_data(): ...\r\nNOISE = 'é'; PART = 3\r\n",
    "RATE: float = 1e-3\nHIDDEN = (64,\n    32,  # two\n)\nFLAG = False\nACT = 'relu'\nONE = TWO = 1\nCOMPUTED = 10 ** -3\n"
    "if FLAG:\n    INNER = 1\ndef build_model():\n    LOCAL = 3\n    return 1 / 0\n",
)


def test_the_settings_of_a_recipe_are_its_names_in_capitals_with_one_value() -> None:
    found = capitals(RECIPE)
    assert list(found) == ["SCALE", "NOISE", "PART", "RATE", "HIDDEN", "FLAG", "ACT", "COMPUTED"]
    assert (found["HIDDEN"].value, found["RATE"].value, found["COMPUTED"].written) == (
        (64, 32),
        1e-3,
        "10 ** (-3)",
    )


def test_another_value_leaves_all_else_as_it_was_and_each_line_at_its_place() -> None:
    made = set_capitals(
        RECIPE, {"SCALE": 5, "PART": 4, "NOISE": "ß", "RATE": 0.5, "HIDDEN": (8,), "COMPUTED": 1, "EPOCHS": 7}
    )
    assert made.helpers == "SCALE = 5\n"
    assert made.preprocessing == "# ünïcode\r\ndef load_data(): ...\r\nNOISE = 'ß'; PART = 4\r\n"
    assert {name: c.value for name, c in capitals(made).items()} == {
        "SCALE": 5, "PART": 4, "NOISE": "ß", "RATE": 0.5, "HIDDEN": (8,), "FLAG": False, "ACT": "relu",
        "COMPUTED": 1, "EPOCHS": 7,
    }  # fmt: skip
    fault = "    return 1 / 0"
    assert made.training.splitlines().index(fault) == RECIPE.training.splitlines().index(fault)
    assert (
        capitals(
            set_capitals(Recipe("", "\ufeffA = 1\ndef load_data(): ...", "def build_model(): ..."), {"A": 2})
        )["A"].value
        == 2
    )
    with pytest.raises(BadInput, match=r"no setting RATES; it has: SCALE"):
        set_capitals(RECIPE, {"RATES": 1})
    with pytest.raises(RecipeError, match="training, line 1"):
        set_capitals(Recipe("", RECIPE.preprocessing, "RATE = ("), {"RATE": 1})


@pytest.mark.parametrize(
    ("name", "said", "domain"),
    [
        ("SCALE", "1, 2,4", Choice((1, 2, 4))),
        ("SCALE", "0..0.5", Range(0, 0.5)),
        ("SCALE", "1..9", Range(1, 9, whole=True)),
        ("SCALE", "16..256:16", Range(16, 256, whole=True, step=16)),
        ("SCALE", "1e-4..1e-1:log", Range(1e-4, 0.1, log=True)),
        ("RATE", "1,2", Choice((1.0, 2.0))),
        ("RATE", "1..2", Range(1, 2)),
        ("RATE", "-.5..+2.5:0.5", Range(-0.5, 2.5, step=0.5)),
        ("HIDDEN", "(64, 32),(8,)", Choice(((64, 32), (8,)))),
        ("HIDDEN", [(64, 32), [8]], Choice(((64, 32), [8]))),
        ("FLAG", "true,false", Choice((True, False))),
        ("ACT", "relu, tanh", Choice(("relu", "tanh"))),
        ("ACT", "'a,b','c'", Choice(("a,b", "c"))),
        ("ACT", "1,2", Choice(("1", "2"))),
        ("COMPUTED", "None,1.5", Choice((None, 1.5))),
        ("EPOCHS", "2,3,3", Choice((2, 3))),
        ("PATIENCE", "None,2", Choice((None, 2))),
    ],
)
def test_values_are_read_as_the_recipe_has_them(name: str, said: str, domain: object) -> None:
    assert parse_space({name: said}, capitals(RECIPE))[name] == domain


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("rate", "1,2", "no setting rate; it has"),
        ("INNER", "1,2", "no setting INNER"),
        ("RATE", "2..1", "the first number must be the smaller"),
        ("RATE", "0..1:log", "above 0"),
        ("RATE", "0..1:5", "the step must"),
        ("RATE", "0..1e9:1e-3", "more than 1000 steps"),
        ("RATE", "1..1e999", "no end"),
        ("RATE", "1e-3;1e-2", "write values as 64,128"),
        ("SCALE", "relu,tanh", "write values as 64,128"),
        ("ACT", "relu,,tanh", "missing"),
        ("ACT", "1..3", "it is a text in the recipe"),
        ("EPOCHS", "0,1", "EPOCHS must be a whole number from 1"),
        ("EPOCHS", "1.5..3", "whole numbers from 1"),
        ("SCALE", ["a", object()], "a value is a number"),
        ("SCALE", [], "Received: 0"),
    ],
)
def test_values_that_cannot_be_are_refused_in_words(name: str, said: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_space({name: said}, capitals(RECIPE))


SPACE: dict[str, Domain] = {
    "UNITS": Choice((8, 16, 32)),
    "RATE": Range(1e-4, 1e-1, log=True),
    "ODD": Range(1, 9, whole=True, step=2),
}


def test_a_grid_is_every_combination_once() -> None:
    listed: dict[str, Domain] = {
        "A": Choice((1, 2)),
        "B": Range(0, 1, step=0.25),
        "C": Range(1, 3, whole=True),
    }
    tried: list[Tried] = []
    while (settings := propose("grid", listed, tried, 0)) is not None:
        tried.append(Tried(settings))
    assert (
        len({str(one.settings) for one in tried}) == len(tried) == searching.combinations(listed) == 2 * 5 * 3
    )
    assert Range(1e-4, 1, log=True).grid == (1e-4, 1e-3, 1e-2, 1e-1, 1)


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_no_values_are_tried_twice_and_the_same_trials_lead_to_the_same_next(method: str) -> None:
    tried: list[Tried] = []
    for _ in range(14):
        settings = propose(method, SPACE, tried, 3)
        assert settings == propose(method, SPACE, tried, 3)
        assert settings is not None
        assert settings["UNITS"] in (8, 16, 32)
        assert settings["ODD"] in (1, 3, 5, 7, 9)
        assert 1e-4 <= float(str(settings["RATE"])) <= 1e-1
        tried.append(Tried(settings, score=float(str(settings["UNITS"])), is_over=True))
    assert len({str(one.settings) for one in tried}) == 14
    small: dict[str, Domain] = {"A": Choice((1, None, "x"))}
    done = [Tried({"A": value}, 1.0, True) for value in (1, None, "x")]
    assert propose(method, small, done, 0) is None


def test_tpe_goes_where_the_scores_are_high() -> None:
    def score(settings: dict[str, object]) -> float:
        return -abs(float(str(settings["RATE"])) - 0.03) - float(settings["UNITS"] != 16)

    tried: list[Tried] = []
    for n in range(30):
        settings = propose("tpe", SPACE, tried, 1)
        assert settings is not None
        tried.append(Tried(settings, None if n == 28 else score(settings), n != 28))
    late = [one for one in tried[15:] if one.score is not None]
    assert sum(one.settings["UNITS"] == 16 for one in late) > len(late) / 2
    chance = random.Random(0)
    by_chance = sum(score({n: d.draw(chance) for n, d in SPACE.items()}) for _ in range(200)) / 200
    assert sum(one.score or 0.0 for one in late) / len(late) > by_chance


@pytest.mark.parametrize(
    "said",
    [
        "1_..5",
        "1__0..20",
        "1..5:1_",
        "1" * 15_000 + "x",
        "1..2" + " " * 15_000 + "x",
        "0x" + "f" * 4_000,
        "1..1" + "0" * 30,
        ",".join(map(str, range(100_000))),
    ],
    ids=lambda said: f"{said[:8]}…{len(said)}",
)
@pytest.mark.parametrize("name", ["RATE", "PART", "EPOCHS"])
def test_no_text_whatever_breaks_what_reads_it(name: str, said: str) -> None:
    if name == "RATE" and said.startswith("1..1"):
        said = "1..1e400"
    with pytest.raises(BadInput, match=name):
        parse_space({name: said}, capitals(RECIPE))


def test_a_logarithm_from_the_smallest_number_to_the_largest_has_all_between() -> None:
    domain = parse_space({"RATE": "5e-324..1e308:log"}, capitals(RECIPE))["RATE"]
    assert isinstance(domain, Range)
    grid = [float(str(value)) for value in domain.grid]
    assert grid == sorted(set(grid))
    assert domain.share(grid[2]) == pytest.approx(0.5, abs=1e-3)


def test_a_number_of_more_digits_than_python_writes_is_a_setting_without_a_plain_value() -> None:
    huge = Recipe("", "def load_data(): ...", f"HUGE = 0x{'f' * 5_000}\nRATE = 1\ndef build_model(): ...")
    assert capitals(huge)["HUGE"].value is None
    assert "RATE = 2\n" in set_capitals(huge, {"RATE": 2}).training
