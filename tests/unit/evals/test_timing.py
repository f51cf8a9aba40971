"""Time from speed and work: the arithmetic, and the one call that measures a speed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import TimedOut
from assay.evals.timing import Passages, Range, Speed, Work, clock, speed_of
from assay.models.scripted import ScriptedChat


def test_seconds_are_tokens_over_speed() -> None:
    speed = Speed(read=100, written=10)
    works = [Work((100, 300), (10, 50)), Work((0, 100), (0, 10))]
    assert speed.seconds(works) == Range(2.0, 6.0, 10.0)


def test_passages_are_read_as_often_as_they_are_shown() -> None:
    work = Work((10, 20), (1, 2), passages=2, each_read=(5, 6), each_write=(3, 4))
    assert work.among(Passages((2, 8), (100, 1_000))) == Work((220, 2_068), (7, 34))


@given(st.tuples(*[st.floats(0, 1e6)] * 4), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_more_work_never_takes_less_time(bounds: tuple[float, ...], read: float, written: float) -> None:
    low_read, more_read, low_write, more_write = bounds
    found = Speed(read, written).seconds([Work((low_read, low_read + more_read), (low_write, low_write + more_write))])
    assert found.low <= found.expected <= found.high


async def test_a_speed_is_that_of_the_call_just_made() -> None:
    model = ScriptedChat(lambda _: "one two " * 40, delay_seconds=0.02)
    speed = await speed_of(model)
    assert speed is not None
    assert 5 < speed.written < 55
    assert 500 < speed.read < 30_000
    assert len(model.requests) == 1


async def test_no_speed_is_made_up() -> None:
    assert await speed_of(ScriptedChat(lambda _: TimedOut("No answer."))) is None
    assert await speed_of(ScriptedChat(lambda _: "one")) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "under 1 s"), (42.4, "42 s"), (240, "4 min"), (5_999, "100 min"), (9_000, "2.5 h")]
)
def test_a_time_is_no_finer_than_anybody_can_know(seconds: float, said: str) -> None:
    assert clock(seconds) == said
