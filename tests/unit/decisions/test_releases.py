"""Releases: one order whoever writes, nothing erased, a missing verdict never forgotten, no key kept."""

import threading
from typing import Any

import pytest

from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.register import Decision, Register
from assay.decisions.releases import FIRST, Draft, Line, Releases, still_there
from assay.decisions.served import Served, side_of, why_not
from assay.errors import BadInput, BadSetting, Conflict, NotFound
from assay.ledger.database import Database, open_database


def own(sentences: int, **more: Any) -> Served:
    rooms = {"answers": {"sentences": sentences}, "models": {"chat": "embedded"}}
    return Served(f"assay answers.sentences={sentences}", rooms=rooms, **more)


def because(served: Served) -> Draft:
    return Draft(served, "hotfix")


def hypothesis(**changed: Any) -> Hypothesis:
    plain: dict[str, Any] = {
        "set_name": "support",
        "season": 1,
        "set_digest": "d",
        "order_digest": "o",
        "items": 100,
        "clusters": None,
        "metric": "answer_contained",
        "incumbent": Named("assay", "s1"),
        "candidate": Named("assay answers.sentences=3", "s3"),
        "scorers": ("x",),
        "objective": "better",
        "rule": "exact-horizon",
        "alpha": 0.05,
        "beta": 0.05,
        "margins": Margins(),
        "horizon": 20,
    }
    return Hypothesis(**{**plain, **changed})


def decided(database: Database, verdict: str | None = "PROMOTE", status: str = "done", **changed: Any) -> Decision:
    outcome = changed.pop("outcome", {"verdict": verdict})
    register = Register(database)
    details = {
        side: {"system": None, "settings": {}, "all": own(n).rooms} for side, n in (("incumbent", 2), ("candidate", 3))
    }
    made = register.open(hypothesis(**changed), details=details)
    register.update(made.id, status=status, verdict=verdict, outcome=outcome)
    return register.get(made.id)


def test_the_first_promotion_remembers_what_served_before_it(database: Database) -> None:
    releases = Releases(database)
    assert (releases.ordinal(), releases.live(), releases.live_own(), releases.log()) == (0, None, None, [])
    made = releases.promote(because(own(3)), before=own(2))
    assert made is not None
    assert releases.live() == made
    zero, first = reversed(releases.log())
    assert (zero.ordinal, zero.because, first.ordinal, first.release_id) == (1, FIRST, 2, made.id)
    assert releases.get(zero.release_id).served == own(2)
    back, is_new = releases.rollback()
    assert (back.served, is_new) == (own(2), True)
    with pytest.raises(NotFound, match="Nothing served before"):
        releases.rollback()


def test_what_serves_already_is_not_released_again(database: Database) -> None:
    releases = Releases(database)
    assert releases.promote(because(own(2)), before=own(2)) is None
    assert releases.log() == []
    releases.promote(because(own(3)), before=own(2))
    assert releases.promote(because(own(3))) is None
    made = releases.log()[0].release_id
    assert releases.rollback(made) == (releases.get(made), False)
    assert releases.ordinal() == 2


def test_a_release_of_a_decision_names_it_and_serves_again_under_its_id(database: Database) -> None:
    decision, releases = decided(database), Releases(database)
    draft = Draft(own(3), "", decision.id, "PROMOTE", without_evidence=False)
    made = releases.promote(draft, before=own(2), seen=0)
    assert made is not None
    assert (made.decision_id, made.verdict, made.without_evidence) == (decision.id, "PROMOTE", False)
    releases.rollback()
    again = releases.promote(draft)
    assert again == made
    assert [line.action for line in releases.log()] == ["promote", "rollback", "promote", "promote"]
    assert len(releases.list()) == 2


def test_without_evidence_is_never_forgotten_and_never_without_a_reason(database: Database) -> None:
    releases = Releases(database)
    decision = decided(database)
    with pytest.raises(ValueError, match="reason"):
        releases.promote(Draft(own(3)), before=own(2))
    marked = releases.promote(Draft(own(3), "no time", decision.id, "PROMOTE"), before=own(2))
    releases.rollback()
    supported = releases.promote(Draft(own(3), "", decision.id, "PROMOTE", without_evidence=False))
    assert marked is not None
    assert supported is not None
    assert releases.get(marked.id).without_evidence
    assert supported.id != marked.id


def test_rolling_back_goes_step_by_step_and_by_name(database: Database) -> None:
    releases = Releases(database)
    made = [releases.promote(because(own(n)), before=own(2)) for n in (3, 4, 5)]
    ids = [release.id for release in made if release]
    assert [releases.rollback()[0].id for _ in range(2)] == [ids[1], ids[0]]
    assert releases.rollback(ids[2][:9], because="it was fine")[0].id == ids[2]
    assert releases.log()[0].because == "it was fine"
    assert releases.rollback()[0].id == ids[0], "a named one goes on top of what is left"
    with pytest.raises(NotFound, match="no release 0000"):
        releases.rollback("0000")
    with pytest.raises(BadInput, match="not the id"):
        releases.rollback("nonsense")


def test_a_users_own_system_is_a_release_too_but_not_one_that_assay_serves(database: Database) -> None:
    releases = Releases(database)
    releases.promote(because(own(3)), before=own(2))
    foreign = Served("bot", system="bot:answer", changes={"k": 5}, identity="one")
    assert releases.promote(because(foreign)) is not None
    live, live_own = releases.live(), releases.live_own()
    assert live is not None
    assert live_own is not None
    assert (live.served, live_own.served) == (foreign, own(3))
    edited = Served("bot", system="bot:answer", changes={"k": 5}, identity="two")
    assert releases.promote(because(edited)) is not None


def test_an_older_state_of_the_log_is_refused(database: Database) -> None:
    releases = Releases(database)
    releases.promote(because(own(3)), before=own(2))
    for act in (lambda: releases.promote(because(own(4)), seen=0), lambda: releases.rollback(seen=1)):
        with pytest.raises(Conflict, match="in this moment"):
            act()
    assert releases.ordinal() == 2


def test_promotions_at_once_get_one_order_and_none_is_lost(database_url: str) -> None:
    first = open_database(database_url)
    databases = [open_database(database_url) for _ in range(4)]
    failures: list[BaseException] = []
    together = threading.Barrier(len(databases))

    def promote(number: int) -> None:
        releases = Releases(databases[number])
        together.wait()
        try:
            for step in range(4):
                releases.promote(because(own(100 + 10 * number + step)), before=own(2))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=promote, args=(number,)) for number in range(len(databases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    log = Releases(first).log()
    assert [line.ordinal for line in reversed(log)] == list(range(1, 18)), "release zero, once, and sixteen more"
    assert len({line.release_id for line in log}) == 17
    for database in (first, *databases):
        database.close()


def test_of_two_decisions_on_the_same_incumbent_only_one_is_promoted(database_url: str) -> None:
    databases = [open_database(database_url) for _ in range(2)]
    ended: list[str] = []
    together = threading.Barrier(2)

    def promote(number: int) -> None:
        draft = Draft(own(3 + number), "x")
        together.wait()
        try:
            Releases(databases[number]).promote(draft, before=own(2), seen=0)
            ended.append("promoted")
        except Conflict:
            ended.append("refused")

    threads = [threading.Thread(target=promote, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["promoted", "refused"]
    for database in databases:
        database.close()


def test_steps_back_never_swing_between_two() -> None:
    def line(ordinal: int, release: str, action: Any = "promote") -> Line:
        return Line(ordinal, release, action, "", 0)

    log = [line(1, "zero"), line(2, "a"), line(3, "b"), line(4, "a", "rollback")]
    assert still_there(log[::-1]) == ["zero", "a"]
    assert still_there([*log, line(5, "zero", "rollback")][::-1]) == ["zero"]
    assert still_there([*log, line(5, "b", "rollback")][::-1]) == ["zero", "a", "b"]
    assert still_there([*log, line(5, "zero")][::-1]) == ["zero", "a", "zero"], "promoted again: on top"


def test_what_a_verdict_supports(sqlite_database: Database) -> None:
    cases: list[tuple[str | None, str, dict[str, Any], bool]] = [
        ("PROMOTE", "done", {}, True),
        ("PROMOTE", "interrupted", {}, False),
        (None, "running", {"outcome": None}, False),
        ("UNDECIDED", "done", {}, False),
        ("WORSE", "done", {}, False),
        ("NOT_WORSE", "done", {}, False),
        ("NOT_WORSE", "done", {"objective": "not_worse"}, True),
        ("NOT_WORSE", "done", {"objective": "not_worse", "outcome": {"promotable": False}}, False),
        ("NOT_WORSE", "done", {"outcome": {"promotable": True}}, True),
        ("PROMOTE", "done", {"outcome": {"promotable": False}}, False),
    ]
    for season, (verdict, status, changed, supported) in enumerate(cases, start=1):
        decision = decided(sqlite_database, verdict, status, season=season, **changed)
        assert (why_not(decision) == "") == supported, (verdict, status, changed)


def test_a_side_of_a_decision_is_what_would_serve(sqlite_database: Database) -> None:
    candidate = side_of(decided(sqlite_database), "candidate", spec={"parts": {"prompts": {"answers.write": "d1"}}})
    assert (candidate.subject, candidate.prompts, candidate.spec) == ("s3", {"answers.write": "d1"}, {})
    assert candidate.same_as(own(3))
    register = Register(sqlite_database)
    bare = register.open(hypothesis(season=2), details={})
    with pytest.raises(BadInput, match="does not say"):
        side_of(bare, "candidate")


def test_sameness_bears_settings_that_one_side_does_not_know() -> None:
    older, newer = own(3), Served("assay", rooms={"answers": {"sentences": 3, "invented": True}, "models": {}})
    assert older.same_as(newer)
    assert not older.same_as(own(4))
    assert own(3, subject="s").answers_as(own(4, subject="s"))
    assert not own(3, subject=None).answers_as(own(4, subject=None))


def test_no_key_is_kept(sqlite_database: Database) -> None:
    with pytest.raises(BadSetting, match="chat_base_url"):
        Served("assay", rooms={"models": {"chat_base_url": "https://me:hunter2@host/v1"}})
    secret = "sk-abcdefghijklmnopqrstuvwx"
    spec = {"headers": {"authorization": f"Bearer {secret}"}, "body": [secret], "api_key": "hunter2hunter2"}
    bot = Served("bot", system="http://me:hunter2@host/v1", changes={"api_key": "hunter2hunter2", "k": 5}, spec=spec)
    releases = Releases(sqlite_database)
    made = releases.promote(because(bot), before=own(2))
    assert made is not None
    kept = str(releases.get(made.id))
    assert "hunter2" not in kept
    assert secret not in kept
    assert made.served.changes["k"] == 5
    assert releases.promote(because(bot)) is None, "what is not kept does not make it another"
