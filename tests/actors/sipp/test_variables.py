"""Variables: scopes, what counts as set, how values print."""

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.sipp.variables import (
    Layout,
    Scope,
    Value,
    Variables,
    is_set,
    leading_number,
    number_of,
    text_of,
)


@pytest.mark.parametrize(
    ("value", "printed", "counts"),
    [
        (None, "", False),
        ("", "", True),
        ("abc", "abc", True),
        (0.0, "", False),
        (1.0, "1.000000", True),
        (-2.5, "-2.500000", True),
        (1e20, "100000000000000000000.000000", True),
        (True, "true", True),
        (False, "false", False),
        (float("inf"), "inf", True),
        (float("-inf"), "-inf", True),
        (float("nan"), "nan", True),
        (-float("nan"), "-nan", True),
    ],
)
def test_how_a_value_prints_and_whether_it_counts_as_set(value: Value, printed: str, counts: bool) -> None:
    assert text_of(value) == printed
    assert is_set(value) is counts


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12.0),
        (" \t-1.5e3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0x1F", 31.0),
        ("12 ", None),
        ("12a", None),
        ("a", None),
        ("7 ", None),
        ("", 0.0),
        ("1_000", None),
        ("\u0661", None),
        (None, None),
        (3.0, 3.0),
        (True, 1.0),
    ],
)
def test_what_todouble_takes_for_a_number(value: Value, number: float | None) -> None:
    assert number_of(value) == number


def test_a_number_at_the_beginning_of_a_text_has_its_length() -> None:
    assert leading_number(" 42 calls") == (42.0, 3)
    assert leading_number("calls 42") is None


def test_each_scope_has_values_of_its_own() -> None:
    layout = Layout(["a", "u", "g"], ["u"], ["g"])
    everyone = layout.global_values({"g": "start"})
    user = layout.fresh(Scope.USER)
    first, second = Variables(layout, user, everyone), Variables(layout, layout.fresh(Scope.USER), everyone)
    third = Variables(layout, user, everyone)
    first["a"], first["u"], first["g"] = 1.0, 2.0, 3.0
    assert [second[name] for name in "aug"] == [None, None, 3.0]
    assert [third[name] for name in "aug"] == [None, 2.0, 3.0]
    assert (first.text("a"), first.number("u"), first.is_set("g")) == ("1.000000", 2.0, True)
    first["g"] = None
    assert not second.is_set("g")
    with pytest.raises(KeyError):
        first["b"]


def test_the_number_of_a_text_is_0_until_it_is_converted() -> None:
    variables = Variables(Layout(["a"]))
    variables["a"] = "12"
    assert variables.number("a") == 0.0


def test_set_names_a_global_variable_of_the_file() -> None:
    layout = Layout(["a"], [], ["g"])
    assert layout.global_values({}) == [None]
    for name in ("a", "b"):
        with pytest.raises(ConfigurationError, match=f'-set {name}: .* write <Global variables="{name}"/>'):
            layout.global_values({name: "1"})
