"""A race and its confirmation never ask more than was given, and what is said to be enough is."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.race_budget import Budgeted, budgeted, price_of
from assay.app.trying import FEWEST_ITEMS
from assay.errors import BadInput
from assay.models.scripted import ScriptedChat


@dataclass
class Priced:
    """A system that says what a question costs."""

    expected_cost_usd: tuple[float, float] | None


@dataclass
class Ready:
    """As much of an evaluation as a price is made of."""

    system: Any
    judge: Any = None


@dataclass
class Arm:
    """As much of a runner as a budget looks at."""

    ready: Ready | None


def arms(number: int, *, usd: tuple[float, float] | None = (0.0, 0.0)) -> list[Any]:
    return [Arm(Ready(Priced(usd))) for _ in range(number)]


def of(runners: list[Any], **options: Any) -> Budgeted:
    return budgeted(runners, **({"dev": 40, "confirm": 60, "share": 0.1, "calls": None, "usd": None} | options))


PRICES = st.one_of(st.just(0.0), st.floats(1e-7, 3.0))


@given(
    number=st.integers(1, 120),
    dev=st.integers(10, 400),
    confirm=st.integers(0, 600),
    share=st.floats(0.001, 1.5),
    calls=st.one_of(st.none(), st.integers(-5, 40_000)),
    usd=st.one_of(st.none(), st.floats(0, 100)),
    price=PRICES,
    used=st.integers(0, 500),
)
def test_no_more_is_asked_than_was_given_and_what_would_do_does(
    number: int,
    dev: int,
    confirm: int,
    share: float,
    calls: int | None,
    usd: float | None,
    price: float,
    used: int,
) -> None:
    runners = arms(number, usd=(price / 2, price))
    given_ = {"dev": dev, "confirm": confirm, "share": share, "calls": calls, "usd": usd, "used": used}
    try:
        found = of(runners, **given_)
    except BadInput as error:
        _check_the_hint(error, runners, given_, price)
        return
    asked = found.race_calls + found.confirm_calls
    total = calls if calls is not None else share * number * (dev + confirm)
    assert asked + used <= total
    if usd is not None:
        assert (asked + used) * price <= usd * (1 + 1e-9)
    assert number <= found.race_calls <= number * dev
    assert 0 <= found.confirm_calls <= 2 * confirm
    assert found.confirm_calls >= min(2 * confirm, 2 * FEWEST_ITEMS), "else nothing could be confirmed"
    assert found.used == used
    assert found.usd == (pytest.approx(asked * price / 2), pytest.approx(asked * price))


def _check_the_hint(error: BadInput, runners: list[Any], given_: dict[str, Any], price: float) -> None:
    """The calls and dollars of the hint are enough, and one call fewer is not."""
    assert "too small for one round" in error.message
    least = int(re.search(r"--budget-calls (\d+)", error.hint)[1])  # type: ignore[index]
    said = re.search(r"\$([\d.]+)", error.hint)
    assert (said is not None) == (given_["usd"] is not None and price > 0)
    enough = given_ | {"calls": least, "usd": float(said[1]) if said else None}
    found = of(runners, **enough)
    assert found.race_calls >= len(runners)
    with pytest.raises(BadInput):
        of(runners, **(enough | {"calls": least - 1}))
    if said:
        with pytest.raises(BadInput):
            of(runners, **(enough | {"usd": (least - 1) * price}))


def test_a_share_of_the_grid_is_divided_between_both() -> None:
    assert of(arms(48)) == Budgeted(race_calls=360, confirm_calls=120, usd=(0.0, 0.0))
    assert of(arms(48), calls=200) == Budgeted(race_calls=140, confirm_calls=60, usd=(0.0, 0.0))
    assert of(arms(48), calls=10**9) == Budgeted(race_calls=48 * 40, confirm_calls=120, usd=(0.0, 0.0))
    assert of(arms(48), share=5.0) == Budgeted(race_calls=48 * 40, confirm_calls=120, usd=(0.0, 0.0))


def test_dollars_are_divided_by_the_dearest_arm() -> None:
    runners = [*arms(5, usd=(0.001, 0.002)), *arms(5, usd=(0.01, 0.02))]
    found = of(runners, share=1.0, usd=2.0)
    assert found.race_calls + found.confirm_calls == 100
    assert found.usd == (pytest.approx(0.1), pytest.approx(2.0))
    with pytest.raises(BadInput, match="10 designs") as raised:
        of(runners, share=1.0, usd=0.5)
    assert raised.value.hint == "Allow at least 50 calls, which is $1.00 (--budget-calls 50), or race fewer designs."


def test_a_price_of_less_than_a_cent_is_said_as_one() -> None:
    with pytest.raises(BadInput) as raised:
        of(arms(10, usd=(1e-7, 2e-6)), usd=1e-6)
    assert "which is $0.01" in raised.value.hint


def test_a_price_nobody_knows_makes_no_total_and_limits_nothing() -> None:
    runners = [*arms(5, usd=(0.001, 0.002)), *arms(5, usd=None)]
    assert of(runners, share=1.0).usd is None
    assert of(arms(10, usd=None), share=1.0, usd=0.01).usd is None, "the budget itself stops that, at the gateway"
    broken = [*arms(9), Arm(None)]
    assert of(broken, share=1.0).usd == (0.0, 0.0), "what cannot be opened costs nothing"


def test_a_price_is_an_answer_with_its_judgement() -> None:
    assert price_of(Arm(None)) is None  # type: ignore[arg-type]
    assert price_of(arms(1, usd=None)[0]) is None
    assert price_of(arms(1, usd=(0.1, 0.2))[0]) == (0.1, 0.2)
    assert price_of(Arm(Ready(object()))) is None  # type: ignore[arg-type]
    judged = Arm(Ready(Priced((0.1, 0.2)), ScriptedChat([], name="gpt-4o-mini", provider="openai")))
    low, high = price_of(judged) or (0.0, 0.0)  # type: ignore[arg-type]
    assert 0.1 < low < 0.2 < high
    free = Arm(Ready(Priced((0.1, 0.2)), ScriptedChat([], provider="embedded")))
    assert price_of(free) == (0.1, 0.2)  # type: ignore[arg-type]
    strange = Arm(Ready(Priced((0.1, 0.2)), ScriptedChat([], name="nobody's", provider="nowhere")))
    assert price_of(strange) is None  # type: ignore[arg-type]
