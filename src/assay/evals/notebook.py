"""Measure anything in a line of Python: a function, a URL, a file, on cases, without a workspace.

    from assay.evals import Case, measure
    board = measure(my_bot, [Case("q1", "How long can I return things?", ("30 days",))])
    board["token_f1"].low

Works where an event loop is already running (Jupyter) and where none is. Without `home` nothing is left on disk; with
it, runs and outputs are kept there, an interrupted run is resumed, and a system with a version is not asked twice.
Proved by `tests/unit/evals/test_notebook.py`.
"""

import asyncio
import contextvars
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from assay.errors import BadInput, BadSetting
from assay.evals.case import Case, set_digest
from assay.evals.cases import CaseStore, collect, read_cases
from assay.evals.columns import rows_of
from assay.evals.engine import evaluate
from assay.evals.faults import Faults
from assay.evals.gold import Texts, resolve_all
from assay.evals.metrics import Instruments, scorers_for
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Metric, Scoreboard, headline, scoreboard
from assay.evals.scorer import Gold, Scorer
from assay.evals.system import System
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.probe import FEWEST_ASKED, settled
from assay.ledger.database import open_database, sqlite_url
from assay.ledger.values import Values
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

T = TypeVar("T")

Measurable = System | Callable[..., Any] | str | Path
Cases = str | Path | Iterable[Case | Mapping[str, Any]]


@dataclass(frozen=True)
class Measurement:
    """A run and what it shows. `board["token_f1"]` is a metric with `value`, `low` and `high`."""

    scoreboard: Scoreboard
    run: RunRecord
    cases: Sequence[Case]
    results: Sequence[Result]

    def __getitem__(self, metric: str) -> Metric:
        """The metric. Raises KeyError naming those there are."""
        try:
            return self.scoreboard.metrics[metric]
        except KeyError:
            raise KeyError(f"no metric {metric!r}; there are: {', '.join(self.scoreboard.metrics)}") from None

    def __contains__(self, metric: str) -> bool:
        return metric in self.scoreboard.metrics

    def __iter__(self) -> Iterator[str]:
        return iter(self.scoreboard.metrics)

    @cached_property
    def failures(self) -> Mapping[str, str]:
        """Why the system failed, by case id."""
        return {result.case_id: result.error for result in self.results if result.error}

    def scores(self, metric: str) -> dict[str, float | None]:
        """The metric's score of each case it applies to; None where it could not be scored. Replicas are averaged."""
        found: dict[str, list[float | None]] = {}
        for result in self.results:
            if metric in result.scores:
                found.setdefault(result.case_id, []).append(0.0 if result.error else result.scores[metric].value)
        return {case: _mean(values) for case, values in found.items()}

    def write(self, path: str | Path, metric: str) -> None:
        """The metric's scores as a JSONL file that `assay compare` and other tools read."""
        self[metric]
        cases = {case.id: case for case in self.cases}
        sums = {case: [r for r in self.results if r.case_id == case] for case in self.scores(metric)}
        with Path(path).open("w", encoding="utf-8", newline="\n") as file:
            for case, score in self.scores(metric).items():
                line: dict[str, Any] = {"case": case, "score": score, "metric": metric}
                if cases[case].cluster:
                    line["cluster"] = cases[case].cluster
                costs = [r.cost_usd for r in sums[case]]
                if None not in costs:
                    line["cost_usd"] = sum(cost for cost in costs if cost is not None) / len(costs)
                line["latency_ms"] = sum(r.latency_ms for r in sums[case]) / len(costs)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def __str__(self) -> str:
        """A table of the metrics with their intervals, and what a reader must know."""
        board = self.scoreboard
        shown = [board.metrics[name] for name in headline(board.metrics)]
        width = max([len(metric.name) for metric in shown] or [0])
        lines = [f"{self.run.spec.system}: {board.cases:,} cases"]
        lines += [f"  {m.name:<{width}}  {_figures(m)}  n={m.n:,}" for m in shown]
        lines.append(f"  {_bill(self.run)}")
        lines += [f"  {note}" for note in self._notes()]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same for a notebook; whatever a system or a case is called is shown inert."""
        from markupsafe import Markup

        board = self.scoreboard
        rows = Markup("").join(
            Markup("<tr><td>{}</td><td>{:.3f}</td><td>{:.3f} – {:.3f}</td><td>{:,}</td><td>{}</td></tr>").format(
                m.name, m.value, m.low, m.high, m.n, m.method
            )
            for m in (board.metrics[name] for name in headline(board.metrics))
        )
        level = f"{100 * (1 - board.alpha):g}% interval"
        head = Markup("<tr><th>metric</th><th>value</th><th>{}</th><th>n</th><th>method</th></tr>").format(level)
        title = Markup("<b>{}</b>: {:,} cases. {}").format(self.run.spec.system, board.cases, _bill(self.run))
        notes = Markup("").join(Markup("<br>{}").format(note) for note in self._notes())
        return str(Markup("<div>{}{}<table>{}{}</table></div>").format(title, notes, head, rows))

    def _notes(self) -> list[str]:
        first = next(iter(self.failures.items()), None)
        return [*self.scoreboard.notes, *([f"First failure, case {first[0]}: {first[1]}"] if first else [])]


def measure(
    system: Measurable,
    cases: Cases,
    *,
    metrics: str | Sequence[str | Scorer] = "auto",
    settings: Mapping[str, Any] | None = None,
    documents: Mapping[str, str] | None = None,
    judge: ChatModel | None = None,
    embedder: Embedder | None = None,
    criterion: str = "",
    replicas: int = 1,
    concurrency: int = 8,
    timeout_seconds: float = 120.0,
    alpha: float = 0.05,
    home: str | Path | None = None,
) -> Measurement:
    """Every case asked `replicas` times and scored.

    `system` is a function, a System, or what `--system` takes; `settings` are its own. `cases` are a JSONL file, Cases,
    or dicts like its lines. `metrics` are names, "auto" (all that need no model) or Scorers; judged ones need `judge`
    (and some `embedder`). `documents` (texts by name) let evidence be checked and found by characters.
    Raises the first failure where nothing the system gave could be used.
    """
    chosen = cases_of(cases)
    made = system_of(system, settings)

    async def work() -> Measurement:
        try:
            named = await settled(made, [case.question for case in chosen[:FEWEST_ASKED]])
            scorers, shown = _scorers(metrics, named, chosen, judge=judge, embedder=embedder, criterion=criterion)
            gold = _gold(chosen, documents)
            with _kept(home) as (runs, values, sets):
                digest = set_digest(chosen)
                await asyncio.to_thread(sets.save, f"measured {digest[:6]}", chosen, "measure")
                record = await evaluate(
                    named,
                    chosen,
                    scorers=scorers,
                    runs=runs,
                    values=values,
                    set_digest=digest,
                    gold=lambda case: gold[case.id],
                    replicas=replicas,
                    concurrency=concurrency,
                    timeout_seconds=timeout_seconds,
                    details={"system": dict(getattr(named, "spec", {}))},
                )
                results = await asyncio.to_thread(lambda: list(runs.results(record.id)))
                board = scoreboard(rows_of(results, chosen), alpha=alpha, metrics=shown)
                await asyncio.to_thread(runs.summarise, record.id, board.as_json())
        finally:
            await made.aclose()
        return Measurement(board, record, chosen, results)

    return run_blocking(work())


def system_of(system: Measurable, settings: Mapping[str, Any] | None = None) -> System:
    """What is to be measured, as a System. Raises BadSetting for what cannot be."""
    if isinstance(system, str | Path):
        found = parse_system(str(system), settings=settings)
        if isinstance(found, OwnSettings):
            raise BadSetting(
                f"{system} holds Assay's own settings, which need a workspace.",
                hint=f"Measure it with: assay eval --system {system}",
            )
        return found
    if isinstance(system, System) and not isinstance(system, type):
        if settings:
            raise BadSetting(f"{system.name} is made already.", hint="Give its settings where it is made.")
        return system
    if not callable(system):
        raise BadSetting(
            f"A {type(system).__name__} cannot be measured.", hint="Give a function, a URL, or module:function."
        )
    return CallableSystem(system, settings=settings)


def cases_of(cases: Cases) -> list[Case]:
    """Cases from a file, or from cases and dicts. Raises BadInput naming each that is wrong."""
    if isinstance(cases, str | Path):
        return read_cases(Path(cases))
    rows = []
    for number, item in enumerate(cases, start=1):
        if not isinstance(item, Case | Mapping):
            raise BadInput(
                f"Case {number} is a {type(item).__name__}.", hint='Give Case("q1", "...") or {"id", "question"}.'
            )
        rows.append((number, item.as_json() if isinstance(item, Case) else item))
    found = collect(rows, Faults("cases"))
    if not found:
        raise BadInput("There are no cases.", hint='Give at least one: Case("q1", "...").')
    return found


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, on a thread of its own where this one already runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[T | BaseException] = []
    loop_ready = threading.Event()
    running: dict[str, Any] = {}

    async def watched() -> T:
        running["loop"], running["task"] = asyncio.get_running_loop(), asyncio.current_task()
        loop_ready.set()
        return await work

    def run() -> None:
        try:
            outcome.append(asyncio.run(watched()))
        except BaseException as error:  # noqa: BLE001  raised again where it was asked for
            outcome.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="assay-measure", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)  # in pieces: a join without end would not hear Ctrl-C everywhere
    except KeyboardInterrupt:
        loop_ready.wait(1)
        running["loop"].call_soon_threadsafe(running["task"].cancel)
        thread.join(5)
        raise
    (result,) = outcome
    if isinstance(result, BaseException):
        raise result
    return result


@contextmanager
def _kept(home: str | Path | None) -> Iterator[tuple[Runs, Values, CaseStore]]:
    """Runs, values and sets in the folder `home`, or in one that is removed."""
    folder = Path(home).expanduser() if home is not None else Path(tempfile.mkdtemp(prefix="assay-measure-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        database = open_database(sqlite_url(folder / "assay.db"))
        try:
            values = Values(database)
            try:
                yield Runs(database), values, CaseStore(database)
            finally:
                values.close()
        finally:
            database.close()
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)


def _scorers(
    metrics: str | Sequence[str | Scorer],
    system: System,
    cases: Sequence[Case],
    *,
    judge: ChatModel | None,
    embedder: Embedder | None,
    criterion: str,
) -> tuple[list[Scorer], tuple[str, ...] | None]:
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    names = [name for name in wanted if isinstance(name, str)]
    own = [scorer for scorer in wanted if not isinstance(scorer, str)]
    instruments = Instruments(_needed(judge, "judge"), _needed(embedder, "embedder"), criterion)
    found: list[Scorer] = []
    shown: tuple[str, ...] | None = ()
    if names:
        found, shown = scorers_for(",".join(names), kind=system.kind, cases=cases, instruments=instruments)
    if shown is not None:
        shown += tuple(name for scorer in own for name in scorer.metrics)
    return [*found, *own], shown


def _needed(part: T | None, name: str) -> Callable[[], T]:
    def give() -> T:
        if part is None:
            raise BadSetting(f"This metric needs a model: {name}.", hint=f"Pass {name}=... to measure.")
        return part

    return give


def _gold(cases: Sequence[Case], documents: Mapping[str, str] | None) -> dict[str, tuple[Gold, ...]]:
    golds = resolve_all(cases, Texts(documents or {}), required=documents is not None)
    return {case.id: gold for case, gold in zip(cases, golds, strict=True)}


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if len(there) == len(values) else None


def _figures(metric: Metric) -> str:
    return f"{metric.value:.3f}  [{metric.low:.3f}, {metric.high:.3f}]"


def _bill(run: RunRecord) -> str:
    priced = [f"${run.cost_usd:.4f}"] if run.cost_usd or not run.unpriced_calls else []
    unpriced = [f"{run.unpriced_calls:,} unpriced"] if run.unpriced_calls else []
    return f"{run.paid_calls:,} calls ({', '.join(priced + unpriced)}), {run.cached_calls:,} from the cache"
