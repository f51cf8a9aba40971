"""The pace finds what a provider takes, waits when it is told to, serves in order and loses no place.

Time is simulated: ten minutes of a busy provider take a moment.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from assay.errors import AssayError, BadInput, Garbled, LimitReached, RateLimited, Refused, TimedOut
from assay.gateway.pace import Pace, PacedChat, PacedEmbedder
from assay.gateway.timed import TimedChat
from assay.models.chat import ChatRequest, Completion, Delta, Message
from assay.models.openai_chat import OpenAIChat
from assay.models.scripted import Reply, ScriptedChat, ScriptedEmbedder
from assay.models.wire import Wire

T = TypeVar("T")
ASKED = ChatRequest((Message("user", "how much is it"),), max_tokens=50)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def simulated(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)


class Provider:
    """Takes `capacity` calls at once, a second each; refuses the rest."""

    def __init__(self, capacity: int, *, retry_after_seconds: float | None = None) -> None:
        self.capacity, self.retry_after_seconds = capacity, retry_after_seconds
        self.under_way = self.most = self.done = self.refused = 0
        self.paused_until = 0.0
        self.early = 0

    async def call(self) -> None:
        now = asyncio.get_running_loop().time()
        self.early += now < self.paused_until
        if self.under_way >= self.capacity:
            self.refused += 1
            if self.retry_after_seconds is not None:
                self.paused_until = now + self.retry_after_seconds
            raise RateLimited("slow down", retry_after_seconds=self.retry_after_seconds)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(1)
            self.done += 1
        finally:
            self.under_way -= 1


async def load(pace: Pace, provider: Provider, *, seconds: float, callers: int = 100) -> None:
    async def caller() -> None:
        while True:
            with contextlib.suppress(RateLimited):
                await pace.call(provider.call)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caller()) for _ in range(callers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("capacity", [3, 10, 50])
def test_it_finds_what_the_provider_takes(capacity: int) -> None:
    provider = Provider(capacity)
    simulated(load(Pace(most=200), provider, seconds=600))
    assert provider.done / (600 * capacity) > 0.7
    assert provider.refused / provider.done < 1 / capacity  # one for each climb from half the window


def test_it_follows_a_provider_that_takes_less_and_then_more() -> None:
    async def work() -> list[int]:
        pace, provider = Pace(most=200), Provider(40)
        done = []
        for capacity in (40, 4, 40):
            provider.capacity = capacity
            before = provider.done
            await load(pace, provider, seconds=300)
            done.append(provider.done - before)
        return done

    plenty, little, again = simulated(work())
    assert plenty > 0.7 * 300 * 40
    assert 0.6 * 300 * 4 < little <= 300 * 4
    assert again > 0.6 * 300 * 40


def test_it_never_runs_more_than_its_window() -> None:
    provider = Provider(1000)
    simulated(load(Pace(start=5, most=20), provider, seconds=100))
    assert provider.most == 20
    assert provider.refused == 0


def test_a_window_grows_by_one_in_a_round_and_is_halved_once_for_a_crowd() -> None:
    async def work() -> tuple[int, int, int]:
        pace, roomy = Pace(start=8), Provider(100)
        await asyncio.gather(*(pace.call(roomy.call) for _ in range(8)))
        grown = pace.window
        none = Provider(0)
        one_try = Pace(start=8, retries=0)

        async def late() -> None:
            await asyncio.sleep(1)
            await none.call()

        await asyncio.gather(*(one_try.call(late) for _ in range(8)), return_exceptions=True)
        cut = one_try.window
        await asyncio.gather(*(one_try.call(late) for _ in range(4)), return_exceptions=True)
        return grown, cut, one_try.window

    assert simulated(work()) == (8, 4, 2)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    async def work() -> int:
        pace, provider = Pace(start=2), Provider(100)
        for _ in range(10):
            await pace.call(provider.call)
        return pace.window

    assert simulated(work()) == 2


def test_nothing_is_sent_while_the_provider_asks_to_wait() -> None:
    provider = Provider(5, retry_after_seconds=7)
    simulated(load(Pace(start=5, retries=5), provider, seconds=300))
    assert provider.early == 0
    assert provider.refused > 3
    assert provider.done > 300


def failing(*errors: AssayError) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """A call that raises these, in order, and then succeeds; and the times it was made at."""
    left, times = list(errors), list[float]()

    async def call() -> str:
        times.append(asyncio.get_running_loop().time())
        if left:
            raise left.pop(0)
        return "done"

    return call, times


@pytest.mark.parametrize(
    "error", [TimedOut("slow"), RateLimited("wait"), Refused("busy", status=503), Refused("lost", status=None)]
)
def test_a_failure_for_load_is_repeated_after_a_growing_wait(error: AssayError) -> None:
    call, times = failing(error, error)
    assert simulated(Pace(retries=2, backoff_seconds=1).call(call)) == "done"
    assert 0.5 <= times[1] - times[0] <= 1
    assert 1 <= times[2] - times[1] <= 2


def test_retry_after_goes_before_our_own_wait_and_a_long_one_is_not_waited_for() -> None:
    call, times = failing(RateLimited("wait", retry_after_seconds=13))
    assert simulated(Pace().call(call)) == "done"
    assert 13 <= times[1] < 13.1
    call, times = failing(RateLimited("wait", retry_after_seconds=3600))
    with pytest.raises(RateLimited):
        simulated(Pace().call(call))
    assert len(times) == 1


@pytest.mark.parametrize(
    "error", [BadInput("no"), Garbled("prose"), Refused("key", status=401), LimitReached("money"), RuntimeError("?")]
)
def test_other_failures_are_neither_repeated_nor_a_reason_to_slow_down(error: Any) -> None:
    call, times = failing(error)
    pace = Pace(start=8)
    with pytest.raises(type(error)):
        simulated(pace.call(call))
    assert len(times) == 1
    assert (pace.window, pace.under_way) == (8, 0)


def test_callers_are_served_in_order_and_a_repeated_call_goes_first() -> None:
    served: list[str] = []

    def caller(name: str, *errors: AssayError) -> Callable[[], Awaitable[None]]:
        left = list(errors)

        async def call() -> None:
            await asyncio.sleep(1)
            served.append(name)
            if left:
                raise left.pop(0)

        return call

    async def work() -> None:
        pace = Pace(most=1)
        again = caller("b", RateLimited("wait", retry_after_seconds=0.5))
        await asyncio.gather(*(pace.call(call) for call in (caller("a"), again, caller("c"), caller("d"))))

    simulated(work())
    assert served == ["a", "b", "b", "c", "d"]


def test_no_place_is_lost_however_calls_are_cancelled() -> None:
    async def work() -> Pace:
        pace, provider = Pace(start=4, most=4), Provider(4)
        tasks = [asyncio.create_task(pace.call(provider.call)) for _ in range(60)]
        for number, task in enumerate(tasks):
            await asyncio.sleep(0.13 if number % 3 else 0)
            if number % 2:
                tasks[(number * 7) % 60].cancel()
            if number % 5 == 0:  # in the very moment its turn comes
                asyncio.get_running_loop().call_at(float(number // 4 + 1), task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(pace.call(provider.call) for _ in range(8)))
        assert provider.most <= 4
        return pace

    assert simulated(work()).under_way == 0


class Silent(ScriptedChat):
    """Says one word and then nothing for an hour."""

    def __init__(self) -> None:
        super().__init__([])
        self.left = 0

    async def complete(self, request: ChatRequest) -> Completion:
        await asyncio.sleep(3600)
        raise AssertionError

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        try:
            yield Delta("well")
            await asyncio.sleep(3600)
        finally:
            self.left += 1


def test_a_hung_call_times_out_and_is_let_go() -> None:
    async def work() -> float:
        silent = Silent()
        model = TimedChat(silent, 5)
        with pytest.raises(TimedOut, match="5 s"):
            await model.complete(ASKED)
        with pytest.raises(TimedOut):
            async for _ in model.stream(ASKED):
                pass
        assert silent.left == 1
        return asyncio.get_running_loop().time()

    assert simulated(work()) == 10


def test_a_models_own_timeout_is_its_own() -> None:
    with pytest.raises(TimeoutError):
        simulated(TimedChat(ScriptedChat([TimeoutError()]), 5).complete(ASKED))


@pytest.mark.parametrize(
    ("replies", "served"), [([TimedOut("slow"), "then this"], True), ([TimedOut("slow")] * 3, False)]
)
def test_a_stream_is_repeated_before_its_first_piece(replies: list[Reply], served: bool) -> None:
    async def work() -> str:
        pace = Pace(retries=2)
        model = PacedChat(ScriptedChat(replies), pace)
        try:
            return "".join([delta.text async for delta in model.stream(ASKED)])
        finally:
            assert pace.under_way == 0

    if served:
        assert simulated(work()) == "then this"
    else:
        with pytest.raises(TimedOut):
            simulated(work())


def test_a_stream_that_fails_half_way_is_not_repeated() -> None:
    class HalfWay(ScriptedChat):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
            self.requests.append(request)
            yield Delta("well")
            raise TimedOut("silent")

    async def work() -> int:
        model = HalfWay([])
        with pytest.raises(TimedOut):
            async for _ in PacedChat(model, Pace()).stream(ASKED):
                pass
        return len(model.requests)

    assert simulated(work()) == 1


def test_an_embedder_keeps_the_pace_too() -> None:
    class Busy(ScriptedEmbedder):
        errors = [RateLimited("wait", retry_after_seconds=2)]  # noqa: RUF012

        async def embed(self, texts: Any, **kind: Any) -> Any:
            if self.errors:
                raise self.errors.pop()
            return await super().embed(texts, **kind)

    assert simulated(PacedEmbedder(Busy(dimensions=8), Pace()).embed(["a"])).shape == (1, 8)


async def test_over_the_wire_a_refused_call_is_sent_exactly_as_often_as_the_pace_says(no_proxy: None) -> None:
    seen = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while await reader.readline() not in (b"\r\n", b""):
            pass
        seen += 1
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    model = OpenAIChat("m", Wire(f"http://127.0.0.1:{port}/v1", max_retries=0), window=512)
    pace = Pace(retries=2, backoff_seconds=0.01)
    with pytest.raises(Refused):
        await PacedChat(model, pace).complete(ASKED)
    await model.aclose()
    server.close()
    assert seen == 3
    assert pace.window == 1
