"""What may be promoted: a supporting verdict against what serves, or a reason; and what the verbs say of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assay.app.contender import Contender
from assay.app.measuring import Measuring, measuring
from assay.app.releasing import newest_finished, of_change, of_decision, of_system
from assay.app.settings import SettingsInForce, load_settings
from assay.app.wiring import open_workspace
from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.register import Decision, Register
from assay.decisions.releases import Releases
from assay.errors import AssayError, BadInput, BadSetting, NotFound, Refused
from assay.ledger.database import Database


def in_force(folder: Path, **flags: Any) -> SettingsInForce:
    given = {key.replace("__", "."): value for key, value in {"models__threads": 1, **flags}.items()}
    return load_settings(folder=folder, environ={}, flags=given)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Measuring]:
    async with open_workspace(in_force(tmp_path), home=tmp_path / ".assay") as held, measuring(held) as measured:
        yield measured


def decide(
    database: Database,
    base: SettingsInForce,
    *,
    incumbent: Contender | None = None,
    candidate: Contender,
    verdict: str = "PROMOTE",
    status: str = "done",
    finished_ns: int = 1,
    subjects: tuple[str | None, str | None] = (None, None),
) -> Decision:
    incumbent = incumbent or Contender()
    hypothesis = Hypothesis(
        set_name="support",
        season=1,
        set_digest="d",
        order_digest="o",
        items=100,
        clusters=None,
        metric="answer_contained",
        incumbent=Named("old", subjects[0]),
        candidate=Named("new", subjects[1]),
        scorers=("x",),
        objective="better",
        rule="exact-horizon",
        alpha=0.05,
        beta=0.05,
        margins=Margins(),
        horizon=20,
    )
    details = {"incumbent": incumbent.as_json(base), "candidate": candidate.as_json(base)}
    register = Register(database)
    made = register.open(hypothesis, details=details)
    outcome = {"verdict": verdict, "promotable": verdict == "PROMOTE"}
    register.update(made.id, status=status, verdict=verdict, outcome=outcome, finished_ns=finished_ns)
    return register.get(made.id)


NOBODY = "http://127.0.0.1:9/v1"  # the port of `discard`, where nobody listens
K1 = Contender(changes={"index.k": 1})
K2 = Contender(changes={"index.k": 2})


def test_a_supporting_verdict_against_what_serves_is_evidence(sqlite_database: Database, tmp_path: Path) -> None:
    base, releases = in_force(tmp_path), Releases(sqlite_database)
    decision = decide(sqlite_database, base, candidate=K1)
    proposal = of_decision(sqlite_database, base, decision)
    assert not proposal.draft.without_evidence
    assert proposal.seen == 0
    made = releases.promote(proposal.draft, before=proposal.before, seen=proposal.seen)
    assert made is not None
    assert made.served.changes == {"index.k": 1}
    assert of_decision(sqlite_database, base, decision).serves_already

    # The next one was judged against what served before it.
    stale = decide(sqlite_database, base, candidate=K2)
    with pytest.raises(BadInput, match="judged against another release"):
        of_decision(sqlite_database, base, stale)
    forced = of_decision(sqlite_database, base, stale, because="it is urgent")
    assert forced.draft.without_evidence
    assert (forced.draft.verdict, forced.draft.decision_id, forced.seen) == ("PROMOTE", stale.id, None)

    fresh = decide(sqlite_database, in_force(tmp_path, index__k=1), candidate=K2)
    assert not of_decision(sqlite_database, base, fresh).draft.without_evidence
    releases.rollback()
    assert not of_decision(sqlite_database, base, stale).draft.without_evidence, "what it was judged against is back"


def test_before_the_first_release_the_settings_in_force_serve(sqlite_database: Database, tmp_path: Path) -> None:
    decision = decide(sqlite_database, in_force(tmp_path), candidate=K1)
    with pytest.raises(BadInput, match=r"what the settings in force say"):
        of_decision(sqlite_database, in_force(tmp_path, answers__sentences=1), decision)
    # How long to wait, and on how many threads, is no other system.
    machine = in_force(tmp_path, models__timeout_seconds=5, models__threads=2)
    assert not of_decision(sqlite_database, machine, decision).draft.without_evidence


def test_the_same_behaviour_is_the_same_incumbent(sqlite_database: Database, tmp_path: Path) -> None:
    base, releases = in_force(tmp_path), Releases(sqlite_database)
    first = decide(sqlite_database, base, candidate=K1, subjects=("s0", "s1"))
    proposal = of_decision(sqlite_database, base, first)
    releases.promote(proposal.draft, before=proposal.before)
    # A chat model that no answer calls is another setting and not another subject.
    other = in_force(tmp_path, index__k=1, models__chat="none")
    second = decide(sqlite_database, other, candidate=K2, subjects=("s1", "s2"))
    assert not of_decision(sqlite_database, base, second).draft.without_evidence


@pytest.mark.parametrize(("verdict", "status"), [("UNDECIDED", "done"), ("WORSE", "done"), ("PROMOTE", "interrupted")])
def test_any_other_verdict_needs_a_reason(sqlite_database: Database, tmp_path: Path, verdict: str, status: str) -> None:
    base = in_force(tmp_path)
    decision = decide(sqlite_database, base, candidate=K1, verdict=verdict, status=status)
    for because in ("", "  "):
        with pytest.raises(BadInput, match="no evidence for promoting"):
            of_decision(sqlite_database, base, decision, because=because)
    assert of_decision(sqlite_database, base, decision, because="I know better").draft.without_evidence


def test_the_newest_finished_decision_is_meant(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        newest_finished(sqlite_database)
    base = in_force(tmp_path)
    late = decide(sqlite_database, base, candidate=K1, finished_ns=9)
    decide(sqlite_database, base, candidate=K2, finished_ns=8)
    decide(sqlite_database, base, candidate=K2, finished_ns=10, status="interrupted")
    assert newest_finished(sqlite_database).id == late.id


async def test_a_users_own_system_is_released_for_its_deployment(sqlite_database: Database, tmp_path: Path) -> None:
    base = in_force(tmp_path)
    old = Contender(system="http://old.example/v1")
    new = Contender(system="http://new.example/v1", system_settings={"model": "x"})
    decision = decide(sqlite_database, base, incumbent=old, candidate=new)
    proposal = of_decision(sqlite_database, base, decision)
    assert not proposal.draft.without_evidence, "nothing contradicts that the incumbent serves"
    assert (proposal.draft.served.system, proposal.draft.served.changes) == ("http://new.example/v1", {"model": "x"})
    assert "yours to serve" in proposal.notes()[0]
    Releases(sqlite_database).promote(proposal.draft, before=proposal.before)
    assert of_decision(sqlite_database, base, decision).serves_already
    own = decide(sqlite_database, base, candidate=K1)
    with pytest.raises(BadInput, match="another release"):
        of_decision(sqlite_database, base, own)

    (tmp_path / "bot.py").write_text("def answer(question, k=3):\n    return question\n")
    bot = await of_system(sqlite_database, base, f"{tmp_path}/bot.py:answer", {"k": 5}, because="ours")
    assert bot.draft.served.spec["settings"] == {"k": 5}
    with pytest.raises(AssayError):
        await of_system(sqlite_database, base, f"{tmp_path}/bot.py:missing", {}, because="ours")
    with pytest.raises(BadInput, match="reason"):
        await of_system(sqlite_database, base, f"{tmp_path}/bot.py:answer", {}, because="")
    with pytest.raises(Refused, match="cannot be reached"):
        await of_system(sqlite_database, base, NOBODY, {}, because="ours")


async def test_a_chat_model_that_cannot_be_called_is_not_released(opened: Measuring, tmp_path: Path) -> None:
    base = in_force(tmp_path)
    with pytest.raises(Refused, match="cannot be reached"):
        await of_change(opened, base, {"models.chat": "nosuch", "models.chat_base_url": NOBODY}, because="x")
    idle = {"models.chat": "nosuch", "models.chat_base_url": NOBODY, "answers.style": "quote"}
    proposal = await of_change(opened, base, idle, because="x")
    assert proposal.notes() == [
        "models.chat: nothing calls it under these settings, so whether it can be opened was not tested."
    ]


async def test_a_change_alone_is_opened_first_and_stands_on_what_serves(opened: Measuring, tmp_path: Path) -> None:
    base, database = in_force(tmp_path), opened.workspace.database
    proposal = await of_change(opened, base, {"index.k": "1"}, because="hotfix")
    assert proposal.draft.without_evidence
    assert len(proposal.draft.served.subject or "") == 64
    Releases(database).promote(proposal.draft, before=proposal.before)
    second = await of_change(opened, in_force(tmp_path, index__k=7), {"answers.sentences": "1"}, because="more")
    values = second.draft.served.values()
    assert (values["index.k"], values["answers.sentences"]) == (1, 1), "the release, not what this shell says"
    assert second.draft.served.changes == {"answers.sentences": 1}
    missing = {"models.reranker": str(tmp_path / "missing"), "index.rerank": "5"}
    for changes, kind in (
        ({}, BadInput),
        ({"server.port": "1"}, BadInput),
        ({"index.kk": "1"}, BadSetting),
        ({"index.k": "-1"}, BadSetting),
        (missing, AssayError),
    ):
        with pytest.raises(kind):
            await of_change(opened, base, changes, because="x")
    with pytest.raises(BadInput, match="reason"):
        await of_change(opened, base, {"index.k": "2"}, because=" ")
    language = await of_change(opened, base, {"models.chat": "none"}, because="x")
    assert language.notes() == []


def test_the_verbs_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.app.cli.promote import command as promote
    from assay.app.cli.releases import command as releases
    from assay.app.cli.rollback import command as rollback
    from assay.app.wiring import open_workspace_database

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_HOME", raising=False)
    database = open_workspace_database()
    base = load_settings(folder=tmp_path, environ={})
    decision = decide(database, base, candidate=K1)
    worse = decide(database, in_force(tmp_path, index__k=1), candidate=K2, verdict="WORSE", finished_ns=0)
    database.close()

    def run(command: Any, *arguments: str) -> str:
        done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    made = json.loads(run(promote, "--json"))
    assert (made["promoted"], made["release"]["decision_id"], made["release"]["verdict"]) == (
        True,
        decision.id,
        "PROMOTE",
    )
    assert not made["release"]["without_evidence"]
    assert "serves already" in run(promote, decision.id[:6])
    assert json.loads(run(promote, decision.id, "--json"))["promoted"] is False
    assert "without evidence" in run(promote, worse.id[:8], "--because", "[red]because")
    shown = run(releases)
    first, *_ = shown.splitlines()
    assert first.startswith("live")
    assert f"without evidence (WORSE, decision {worse.id[:8]})" in first
    assert "[red]because" in shown
    assert f"PROMOTE (decision {decision.id[:8]})" in shown
    assert json.loads(run(rollback, "--json", "--because", "x"))["release"]["id"] == made["release"]["id"]
    whole = json.loads(run(releases, "--json"))
    assert whole["live"]["settings"]["index"]["k"] == 1
    assert [line["action"] for line in whole["log"]] == ["rollback", "promote", "promote", "promote"]
    assert {release["without_evidence"] for release in whole["releases"]} == {True, False}
    usage = CliRunner().invoke(promote, [decision.id, "--set", "index.k=1"])
    assert "Name one of" in usage.output
