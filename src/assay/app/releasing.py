"""What a promotion would release, found out before anything is written: from a decision, or from a change alone.

Invariant: a release without `without_evidence` names a finished decision whose verdict supports promoting, judged
against what serves now. Everything else needs a person's reason. Proved by `tests/unit/app/test_releasing.py`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.app.behind import Behind
from assay.app.evaluating import own_system
from assay.app.loading import roles_in_use
from assay.app.measuring import Measuring
from assay.app.reaching import reach, reach_chat
from assay.app.released import served_by, under
from assay.app.settings import SettingsInForce
from assay.decisions.register import Decision, Register
from assay.decisions.releases import Draft, Release, Releases
from assay.decisions.served import Served, side_of, why_not
from assay.errors import AssayError, BadInput, NotFound
from assay.evals.runs import Runs
from assay.evals.systems.openai_endpoint import OpenAISystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.template import HttpSystem
from assay.ledger.database import Database
from assay.models.openai_chat import OpenAIChat

_INGESTED = ("documents.cut", "documents.size", "documents.overlap", "models.embedder", "models.embedder_base_url")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A promotion to be. `live` is what serves, `before` too where nothing was released yet.

    `seen` is the log's `ordinal` that evidence was weighed against, None where a person's reason carries it.
    `unopened` says what was changed and could not be tested, because nothing calls it.
    """

    draft: Draft
    before: Served
    live: Release | None
    seen: int | None = None
    unopened: str = ""

    @property
    def serves_already(self) -> bool:
        """Whether what is proposed serves now."""
        return (self.live.served if self.live else self.before).same_as(self.draft.served)

    def notes(self) -> list[str]:
        """What a promotion leaves as it is."""
        if not self.draft.served.is_own:
            return [f"{self.draft.served.system} is yours to serve: your deployment reads assay releases --json."]
        before, after = (self.live.served if self.live else self.before).values(), self.draft.served.values()
        changed = [key for key in _INGESTED if before.get(key, after.get(key)) != after.get(key)]
        holds = f"{', '.join(changed)}: served on a cut of its own beside the documents; assay ingest keeps theirs."
        return [note for note in (holds if changed else "", self.unopened) if note]


def newest_finished(database: Database) -> Decision:
    """The decision that finished last. Raises NotFound."""
    done = [found for found in Register(database).list(1_000) if found.status == "done"]
    if not done:
        raise NotFound(
            "No decision has finished in this workspace.",
            hint="Try a change first: assay try CHANGE.toml. Or release one without evidence: --set ... --because TEXT",
        )
    return max(done, key=lambda found: found.created_ns if found.finished_ns is None else found.finished_ns)


def of_decision(database: Database, in_force: SettingsInForce, decision: Decision, *, because: str = "") -> Proposal:
    """The candidate of a decision. Raises BadInput where it is not supported and no reason is given."""
    releases = Releases(database)
    seen, live = releases.ordinal(), releases.live()
    candidate = side_of(decision, "candidate", spec=_spec(database, decision.candidate_run))
    incumbent = side_of(decision, "incumbent", spec=_spec(database, decision.incumbent_run))
    serving = live.served if live else _implicit(in_force, incumbent)
    why = why_not(decision)
    if not why and _edited(candidate, decision.hypothesis.candidate.identity):
        why = f"{candidate.name} was edited since decision {decision.id[:8]}, or is not here to be compared."
    if not why and not serving.answers_as(incumbent):
        what = f"release {live.id[:8]}" if live else "what the settings in force say"
        why = f"Decision {decision.id[:8]} was judged against another release than the one that serves ({what})."
    draft = Draft(candidate, because.strip(), decision.id, decision.verdict, without_evidence=bool(why))
    proposal = Proposal(draft, serving, live, None if why else seen)
    if why and not draft.because and not proposal.serves_already:
        raise BadInput(
            f"{why} It is no evidence for promoting.",
            hint="Try it against what serves, or give a reason to serve it without evidence: --because TEXT",
        )
    return proposal


def _edited(candidate: Served, identity: str) -> bool:
    """Whether a function is another one than was judged, as far as its source can tell."""
    if candidate.system is None or candidate.spec.get("kind") != "callable":
        return False
    try:
        found = parse_system(candidate.system, settings=candidate.changes or None)
    except AssayError:
        return True
    return getattr(found, "identity", "") != identity


async def of_change(
    measuring: Measuring, in_force: SettingsInForce, changes: Mapping[str, Any], *, because: str
) -> Proposal:
    """Changed settings on top of what Assay serves, without evidence.

    They are opened first: BadSetting, Upstream or whatever else they would fail with when serving is raised here.
    """
    database = measuring.workspace.database
    releases = Releases(database)
    live, own = await asyncio.to_thread(lambda: (releases.live(), releases.live_own()))
    base = under(in_force, own, strictly=True)
    if not changes:
        raise BadInput("There is nothing to release.", hint="Name a decision, CHANGE.toml or --set KEY=VALUE.")
    changed = base.changed(changes)
    before, after = served_by(base), served_by(changed)
    if left_out := sorted(set(changes) - after.values().keys()):
        raise BadInput(
            f"{left_out[0]} changes no answer, so it is no part of a release.", hint="Set it in assay.toml instead."
        )
    named = {key: after.values()[key] for key in changes}
    subject = await _subject(measuring, changed)
    draft = Draft(served_by(changed, changes=named, subject=subject), _reason(because))
    return Proposal(draft, own.served if own else before, live, unopened=_unopened(changed, changes))


def _unopened(in_force: SettingsInForce, changes: Mapping[str, Any]) -> str:
    """Of changed models, those that no answer and no search under these settings calls."""
    in_use = roles_in_use(in_force.settings)
    roles = {role for role in ("chat", "reranker") if any(key.startswith(f"models.{role}") for key in changes)}
    idle = sorted(role for role in roles if role not in in_use and getattr(in_force.settings.models, role) != "none")
    if not idle:
        return ""
    named = " and ".join(f"models.{role}" for role in idle)
    return f"{named}: nothing calls it under these settings, so whether it can be opened was not tested."


async def of_system(
    database: Database, in_force: SettingsInForce, system: str, settings: Mapping[str, Any], *, because: str
) -> Proposal:
    """A user's own system, without evidence: a function is imported, a server has to be there; neither is asked."""
    found = parse_system(system, settings=settings or None)
    if isinstance(found, OwnSettings):
        raise BadInput(f"{system} holds Assay's own settings.", hint=f"assay promote {system} --because TEXT")
    try:
        if isinstance(found, (HttpSystem, OpenAISystem)):
            await reach(found.url)
        served = Served(
            name=found.name,
            subject=found.subject,
            system=system,
            changes=dict(settings),
            identity=getattr(found, "identity", ""),
            spec=dict(getattr(found, "spec", None) or {}),
        )
    finally:
        await found.aclose()
    live = await asyncio.to_thread(Releases(database).live)
    return Proposal(Draft(served, _reason(because)), served_by(in_force), live)


def _implicit(in_force: SettingsInForce, incumbent: Served) -> Served:
    """What serves before anything was released: the settings in force, or a user's system of which nothing is known."""
    if not incumbent.is_own:
        return incumbent
    serving = served_by(in_force)
    return incumbent if serving.same_as(incumbent) else serving


async def _subject(measuring: Measuring, in_force: SettingsInForce) -> str | None:
    async with measuring.workspace.variant(in_force) as variant:
        await variant.ready()
        if isinstance(await variant.chat_in_use(), OpenAIChat):
            await reach_chat(in_force.settings.models)
        behind = Behind(measuring.values, in_force.settings, retries=in_force.settings.models.max_retries)
        return (await own_system(measuring, variant, behind)).subject


def _spec(database: Database, run_id: str | None) -> Mapping[str, Any]:
    """What a run recorded of its system for people; nothing where the run is gone."""
    if run_id is None:
        return {}
    try:
        details = Runs(database).get(run_id).spec.details
    except NotFound:
        return {}
    spec: Mapping[str, Any] = details.get("system") or {}
    return spec


def _reason(because: str) -> str:
    if not because.strip():
        raise BadInput(
            "A promotion without a decision needs a reason.",
            hint="Give one with --because TEXT, or show it to be better: assay try",
        )
    return because.strip()
