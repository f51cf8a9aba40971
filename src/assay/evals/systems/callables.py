"""Anyone's function as a system: sync or async, answering or only retrieving, with its settings checked.

Invariants: what goes wrong in a user's code fails that question, told with the user's own line, and never the run; a
sync function runs on a thread of its own, so it can hold up neither the event loop nor, hung, the end of the process.
Proved by `tests/unit/evals/test_systems_callables.py`.
"""

import asyncio
import contextvars
import inspect
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, get_origin

from assay.errors import AssayError, BadSetting, Garbled, TimedOut, Upstream
from assay.evals.output import Output
from assay.evals.systems.arguments import arguments_for, hints_of
from assay.evals.systems.blame import told
from assay.evals.systems.charge import charge
from assay.evals.systems.replies import is_answer, output_of
from assay.evals.systems.source import source_of
from assay.evals.systems.spec import Common, Returns
from assay.evals.systems.subject import subject_of
from assay.evals.systems.turns import Turns
from assay.gateway.tally import tallying

Kind = Literal["answerer", "retriever"]

_LONGEST_SHOWN = 80


class CallableSystem:
    """`target` as a system. It takes the question, and its settings by name or as one model, dataclass or dict.

    A class is built with the settings and its instance called with the question. It may return text, a dict, passages,
    an `Output` or an outcome of ours. With `close`, `aclose` closes the target where it can be closed.
    `identity` names function, settings and source file: what an interrupted run may be resumed with. `undecided` is
    True until an annotation or a reply shows whether it answers or retrieves. Raises BadSetting for what cannot be
    called so.
    """

    def __init__(
        self,
        target: Callable[..., Any],
        *,
        settings: Mapping[str, Any] | None = None,
        options: Common | None = None,
        name: str = "",
        close: bool = False,
    ) -> None:
        options = options or Common()
        self._who = options.name or name or _name_of(target)
        source = source_of(target)
        built = inspect.isclass(target)
        given = arguments_for(target, settings or {}, who=self._who, question=not built)
        self._positional, self._named = given.positional, given.named
        if built:
            target = self._built(target)
            arguments_for(target, {}, who=self._who, question=True)
        self._target = target
        self._options = options
        self._closes = target if close or built else None
        self._turns = Turns(options.concurrency)
        returns = options.returns or _declared(target)
        self.kind: Kind = "retriever" if returns == "passages" else "answerer"
        self.undecided = returns is None
        cost = options.cost_usd_per_question
        self.expected_calls = (1.0, 1.0)
        self.expected_cost_usd = None if cost is None else (cost, cost)
        self.name = _with_settings(self._who, {key: given.effective.get(key) for key in settings or {}})
        self.spec: dict[str, Any] = {
            "kind": "callable",
            "target": name or self._who,
            "settings": dict(given.effective),
            **options.model_dump(mode="json", include={"version", "timeout_seconds", "concurrency"}),
        }
        named = {"target": name or self._who, "settings": self.spec["settings"], "version": options.version}
        self.subject = subject_of({"callable": named}) if options.version else None
        if source:
            self.spec["source"] = source
        self.identity = subject_of({"callable": named, "source": source.get("sha256", "")})

    async def __call__(self, question: str) -> Output:
        """One output. Raises Upstream for a crash, TimedOut, Garbled for what cannot be read."""
        async with self._turns:
            with tallying() as metered:
                started = time.perf_counter()
                cost, calls = self._options.cost_usd_per_question, 1
                try:
                    value = await self._in_time(question)
                    output = self._read(value, (time.perf_counter() - started) * 1000)
                    cost, calls = output.cost_usd, output.calls
                finally:
                    # What crashed may have been paid for too; what our own wrappers counted is not counted twice.
                    if not (metered.paid_calls or metered.cached_calls):
                        charge(calls, cost)
        return replace(output, calls=metered.paid_calls)

    async def aclose(self) -> None:
        """Close the target where it is ours to close. Safe to call twice."""
        target, self._closes = self._closes, None
        for name in ("aclose", "close"):
            if target is not None and callable(close := getattr(target, name, None)):
                closing = close()
                if inspect.isawaitable(closing):
                    await closing
                return

    def _built(self, target: Callable[..., Any]) -> Callable[..., Any]:
        try:
            built = target(*self._positional, **self._named)
        except AssayError:
            raise
        except Exception as error:
            raise BadSetting(
                f"{self._who} cannot be built: {told(error)}.", hint="Correct the line it names."
            ) from error
        self._positional, self._named = (), {}
        if not callable(built):
            raise BadSetting(
                f"{self._who} is a class whose objects cannot be called.", hint="Give it __call__(self, question)."
            )
        called: Callable[..., Any] = built
        return called

    async def _in_time(self, question: str) -> Any:
        seconds = self._options.timeout_seconds
        try:
            async with asyncio.timeout(seconds) as clock:
                return await self._called(question)
        except TimeoutError as error:
            if not clock.expired():  # the function's own
                raise self._crash(error) from error
        raise TimedOut(
            f"{self._who} gave no answer in {seconds:g} s.",
            hint="Raise the system's timeout_seconds, or find what it waits for.",
        )

    async def _called(self, question: str) -> Any:
        def call() -> Any:
            return self._target(question, *self._positional, **self._named)

        try:
            value = call() if _is_async(self._target) else await _on_thread(call)
            while inspect.isawaitable(value):  # a lambda around an async function
                value = await value
        except (AssayError, TimeoutError):
            raise
        except (Exception, SystemExit) as error:
            raise self._crash(error) from error
        return value

    def _crash(self, error: BaseException) -> Upstream:
        return Upstream(f"{self._who} failed: {told(error)}.", hint="Correct the line it names.", code="crashed")

    def _read(self, value: Any, elapsed_ms: float) -> Output:
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            raise Garbled(f"{self._who} returned a generator.", hint="Return the whole answer, not a stream.")
        output = output_of(value, who=self._who)
        self._decide(is_answer(value))
        cost = self._options.cost_usd_per_question if output.cost_usd is None else output.cost_usd
        return replace(output, cost_usd=cost, latency_ms=output.latency_ms or elapsed_ms, calls=output.calls or 1)

    def _decide(self, answered: bool) -> None:
        """The first reply shows what the function is; later ones must be of the same kind."""
        if self.undecided:
            self.kind, self.undecided = "answerer" if answered else "retriever", False
        if not answered and self.kind == "answerer":
            raise Garbled(
                f"{self._who} returned passages and no answer.",
                hint='Return text as well, or set returns = "passages" for a retriever.',
            )


async def _on_thread(call: Callable[[], Any]) -> Any:
    """The result of `call()` on a daemon thread in this context; a hung one is left behind."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def tell(give: Callable[[Any], None], value: Any) -> None:
        def unless_cancelled() -> None:
            if not outcome.done():
                give(value)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(unless_cancelled)

    def run() -> None:
        try:
            result = context.run(call)
        except StopIteration as error:  # a future cannot carry it
            tell(outcome.set_exception, RuntimeError(f"StopIteration: {error}").with_traceback(error.__traceback__))
        except BaseException as error:  # noqa: BLE001  handed to whoever awaits it
            tell(outcome.set_exception, error)
        else:
            tell(outcome.set_result, result)

    threading.Thread(target=run, name="assay-system", daemon=True).start()
    return await outcome


def _declared(target: Callable[..., Any]) -> Returns | None:
    """What the annotation says it returns: text, or a list, which only a retriever gives."""
    annotation = hints_of(target).get("return")
    if annotation is str:
        return "answers"
    return "passages" if get_origin(annotation) in (list, tuple, Sequence) or annotation in (list, tuple) else None


def _with_settings(name: str, given: Mapping[str, Any]) -> str:
    """`my_bot:answer(k=5)`: two settings of one function are two systems, in lists of runs too."""
    shown = ", ".join(f"{key}={value}" for key, value in given.items())
    shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
    return f"{name}({shown})" if shown else name


def _is_async(target: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None))  # noqa: B004


def _name_of(target: Callable[..., Any]) -> str:
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    if name is None:
        module, name = type(target).__module__, type(target).__qualname__
    return name if module in (None, "__main__", "builtins") else f"{module}:{name}"
