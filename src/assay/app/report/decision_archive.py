"""Decisions, releases and evidence budgets of a workspace as the decision pages read them.

Everything here waits for the database; folding a decision again takes seconds: call it in a thread. What was folded
again, and the chances of a rule, are kept, since neither can change.
"""

import shlex
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from assay.app.deciding import checked_shape, replay
from assay.app.labelling import Labelling
from assay.app.report.archive import Archive
from assay.app.report.decision_view import Checked, DecisionView, DevPair, DevReading
from assay.decisions.chances import Chance, assumptions, chances
from assay.decisions.evidence_budget import EvidenceBudget, Standing
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.register import Decision, Register
from assay.decisions.releases import Line, Release, Releases
from assay.decisions.served import Side, side_of
from assay.decisions.split import SplitStore
from assay.decisions.trial import score_of
from assay.errors import AssayError, NotFound
from assay.evals.runs import RunRecord
from assay.ledger.redaction import without_keys

_KEPT = 32
_MOST_RELEASES = 12
_SIDES: tuple[Side, Side] = ("incumbent", "candidate")
T = TypeVar("T")


class DecisionArchive:
    """Reads the decisions of one workspace. Safe to share between threads."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        database = archive.database
        self.register, self.budgets = Register(database), EvidenceBudget(database)
        self._releases, self._splits = Releases(database), SplitStore(database)
        self._checked: _Memory[Checked] = _Memory()
        self._chances: _Memory[tuple[Chance, ...]] = _Memory()
        self._labelling: _Memory[Labelling] = _Memory()

    # ---- lists --------------------------------------------------------------------------------

    def newest(self, *, limit: int, offset: int = 0) -> list[Decision]:
        """The newest decisions first."""
        return self.register.list(offset + limit)[offset:]

    def state(self, decision: Decision) -> str:
        """How a decision stands: one that says it is running and is held by nobody was interrupted."""
        return self.register.state(decision)

    def releases(self) -> tuple[list[Line], dict[str, Release]]:
        """The newest lines of the log of what served, and the releases they name."""
        log = self._releases.log(_MOST_RELEASES)
        return log, {name: self._releases.get(name) for name in dict.fromkeys(line.release_id for line in log)}

    def standings(self, decisions: list[Decision]) -> list[tuple[Standing, Hypothesis]]:
        """The budgets these decisions took from, newest first, each with the newest hypothesis on it."""
        newest: dict[tuple[str, int], Hypothesis] = {}
        for decision in decisions:
            hypothesis = decision.hypothesis
            newest.setdefault((hypothesis.set_name, hypothesis.season), hypothesis)
        return [(self.budgets.standing(*key), hypothesis) for key, hypothesis in newest.items()]

    def decisions_of(self, standing: Standing) -> dict[str, Decision]:
        """The decisions of a budget by id."""
        found = self.register.list(1_000, set_name=standing.set_name, season=standing.season)
        return {decision.id: decision for decision in found}

    def chances(self, hypothesis: Hypothesis, alpha: float) -> tuple[tuple[Chance, ...], str]:
        """What a hypothesis like this one could show at another alpha, and what that assumes."""
        asked = replace(hypothesis, alpha=alpha)
        return self._chances.get(asked.digest, lambda: chances(asked)), assumptions(asked)

    # ---- one ----------------------------------------------------------------------------------

    def view(self, decision_id: str) -> DecisionView:
        """A decision with what stands around it. Raises NotFound, or BadInput where several ids begin so."""
        decision = self.register.get(decision_id)
        hypothesis = decision.hypothesis
        live = self._releases.live()
        state = self.state(decision)
        if state != decision.status:
            decision = self.register.get(decision.id)
        return DecisionView(
            decision=decision,
            state=state,
            budget=self.budgets.standing(hypothesis.set_name, hypothesis.season),
            releases=[one for one in self._releases.list(1_000) if one.decision_id == decision.id],
            live_release=live.id if live else None,
            runs=(self._run(decision.incumbent_run), self._run(decision.candidate_run)),
            command=without_keys(shlex.join(["assay", *map(str, decision.details.get("command") or ())])),
            changes={side: _settings(decision, side) for side in _SIDES},
        )

    def dev(self, decision: Decision) -> DevReading | None:
        """The dev questions both systems answered; None where they have not."""
        named = decision.details.get("dev_runs") or {}
        runs = [self._run(named.get(side)) for side in _SIDES]
        if runs[0] is None or runs[1] is None:
            return None
        cases = self.archive.cases_of(runs[0])
        kept = [{result.ordinal: result for result in self.archive.runs.results(run.id)} for run in runs if run]
        hidden = self._splits.is_confirm(decision.set_name, cases)
        pairs = []
        for ordinal, case in enumerate(cases):
            if case.id in hidden or ordinal not in kept[0] or ordinal not in kept[1]:
                continue
            both = kept[0][ordinal], kept[1][ordinal]
            scores = [score_of(result, decision.hypothesis.metric)[0] for result in both]
            pairs.append(DevPair(case, *both, scores=(scores[0], scores[1])))
        pairs.sort(key=lambda pair: -abs(pair.difference))
        return DevReading(pairs, (runs[0].id, runs[1].id))

    def checked(self, decision: Decision) -> Checked:
        """The results of a finished decision folded again."""

        def folded() -> Checked:
            try:
                shape = checked_shape(replay(self.archive, decision))
            except AssayError as error:
                return Checked(False, problem=error.message)
            names = ["agrees", "written", "replayed", "n", "wins", "losses"]
            return Checked(**{name: shape[name] for name in names})

        labelled = (decision.outcome or {}).get("judged_quality")
        return self._checked.get((decision.id, decision.finished_ns, labelled), folded)

    def labelling(self, decision: Decision, *, wanted: int | None = None) -> Labelling:
        """The labels of a finished decision; `wanted` declares how many where nobody has. Raises BadInput otherwise."""
        return self._labelling.get(
            (decision.id, decision.finished_ns), lambda: Labelling(self.archive, decision, wanted=wanted)
        )

    def _run(self, run_id: Any) -> RunRecord | None:
        try:
            return self.archive.runs.get(run_id) if isinstance(run_id, str) else None
        except NotFound:  # a decision is written down before its runs
            return None


class _Memory(Generic[T]):
    """The newest few values by key; made once, by whoever asks first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; whoever asks while it is made waits for the same one."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            made = make()
            with self._lock:
                self._kept[key] = made
                while len(self._kept) > _KEPT:
                    self._making.pop(self._kept.popitem(last=False)[0], None)
            return made


def _settings(decision: Decision, side: Side) -> Mapping[str, Any]:
    """What a side was set to, without keys: its changes, or the settings of a user's own system."""
    shape = decision.details.get(side)
    if not isinstance(shape, Mapping):
        return {}
    if shape.get("system") is None:
        return cast("Mapping[str, Any]", shape.get("settings") or {})
    try:
        return cast("Mapping[str, Any]", side_of(decision, side).as_json()["settings"])
    except AssayError:
        return {}
