"""Prompts are found by name, by digest and by the beginning of one; versions keep their order."""

import pytest

from assay.errors import BadInput, NotFound
from assay.evals.prompts import PromptStore
from assay.ledger.database import Database
from assay.models.prompt import Prompt

FIRST, SECOND = Prompt("judge", "Be fair.\nSay 1 or 0.\n"), Prompt("judge", "Be very fair.\nSay 1 or 0.\n")


def test_versions_keep_their_order_and_registering_again_changes_nothing(database: Database) -> None:
    store = PromptStore(database)
    store.register([FIRST, SECOND, Prompt("other", FIRST.text)])
    store.register([FIRST])
    store.register([])
    assert [(version.number, version.prompt) for version in store.versions("judge")] == [(1, FIRST), (2, SECOND)]
    assert store.names() == ["judge", "other"]
    assert store.versions("nobody") == []


def test_a_prompt_is_found_by_name_digest_prefix_and_both(database: Database) -> None:
    store = PromptStore(database)
    store.register([FIRST, SECOND])
    assert store.find("judge") == SECOND
    assert store.find(FIRST.digest) == store.find(FIRST.digest[:6]) == FIRST
    assert store.find(f"judge@{FIRST.digest[:4]}") == FIRST
    with pytest.raises(NotFound):
        store.find(f"other@{FIRST.digest}")


def test_what_is_not_there_is_said_with_what_is(database: Database) -> None:
    store = PromptStore(database)
    with pytest.raises(NotFound) as caught:
        store.find("judge")
    assert caught.value.hint
    store.register([FIRST])
    for what, hint in (("judg", "judge"), ("f%", "judge"), ("____", "judge")):
        with pytest.raises(NotFound) as caught:
            store.find(what)
        assert hint in caught.value.hint


def test_a_beginning_that_fits_several_is_refused(database: Database) -> None:
    by_prefix: dict[str, Prompt] = {}
    store = PromptStore(database)
    for number in range(2000):
        one = Prompt("p", f"text {number}")
        other = by_prefix.setdefault(one.digest[:4], one)
        if other is not one:
            store.register([one, other])
            with pytest.raises(BadInput, match="Several"):
                store.find(one.digest[:4])
            return
    raise AssertionError("no two digests begin alike")


def test_a_diff_says_which_words_changed(database: Database) -> None:
    store = PromptStore(database)
    store.register([FIRST, SECOND])
    assert "+Be very fair." in store.diff(FIRST.digest, "judge")
    assert store.diff("judge", "judge") == ""


def test_text_survives_as_it_is(database: Database) -> None:
    store = PromptStore(database)
    odd = Prompt("odd", "naïve {placeholder} — 😀\r\n\tend")
    store.register([odd])
    assert store.find("odd") == odd
