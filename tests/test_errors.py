"""The error tree is what its docstring draws, and every class has a status, an exit code and a level."""

import asyncio
import inspect
import logging
import re

import pytest

from assay import errors
from assay.app import failures
from assay.errors import AssayError, Conflict, Corrupt, Fixable, Interrupted, LimitReached, Refused, Upstream

CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, AssayError)]


def drawn_tree() -> dict[str, str]:
    """Parents by name, read from the picture: a name's column tells its depth."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^( {4}[│├└─ ]*)([A-Z]\w+) {2,}\S", line)
        if found is None:
            continue
        column, name = len(found.group(1)), found.group(2)
        above = [entry for entry in above if entry[0] < column]
        if above:
            parents[name] = above[-1][1]
        above.append((column, name))
    return parents


def test_the_drawn_tree_is_the_real_tree() -> None:
    real = {found.__name__: found.__bases__[0].__name__ for found in CLASSES if found is not AssayError}
    assert drawn_tree() == real


def test_every_class_is_mapped_by_name() -> None:
    assert set(failures.FAILURES) == set(CLASSES)


def test_codes_are_unique_slugs() -> None:
    codes = [found.code for found in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_class_says_what_it_is_for() -> None:
    assert [found.__name__ for found in CLASSES if not found.__doc__] == []


@pytest.mark.parametrize("raised", CLASSES, ids=lambda found: found.__name__)
def test_statuses_levels_and_exit_codes_are_sound(raised: type[AssayError]) -> None:
    failure = failures.failure_of(raised("It broke.", hint="Mend it."))
    assert 400 <= failure.http_status <= 599
    assert failure.log_level in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert failure.exit_code in failures.EXIT_CODES
    assert failure.exit_code not in (failures.OK, failures.FINISHED_WITH_FAILURES)


@pytest.mark.parametrize(
    ("family", "exit_code"),
    [(Fixable, 2), (Upstream, 3), (LimitReached, 4), (Corrupt, 5), (Interrupted, 130)],
)
def test_an_exit_code_tells_the_family(family: type[AssayError], exit_code: int) -> None:
    members = [found for found in CLASSES if issubclass(found, family)]
    assert {failures.FAILURES[found].exit_code for found in members} == {exit_code}


def test_the_documented_exit_codes_are_all_there_are() -> None:
    from assay.app.cli.main import main

    assert list(failures.EXIT_CODES) == [0, 1, 2, 3, 4, 5, 130]
    documented = {int(code) for code in re.findall(r"\b(\d+) [a-z]", main.__doc__ or "")}
    assert documented == set(failures.EXIT_CODES)


def test_a_class_nobody_mapped_takes_its_nearest_ancestors_row() -> None:
    class Moved(Refused):
        code = "moved"

    assert failures.failure_of(Moved("It moved.")) == failures.FAILURES[Refused]
    assert failures.http_status(Conflict("Full.", code="disk_full")) == 409


def test_failures_that_are_not_ours_are_bugs_and_interrupts_are_interrupts() -> None:
    assert failures.failure_of(KeyError("x")) == failures.FAILURES[Corrupt]
    assert failures.exit_code(KeyboardInterrupt()) == 130
    assert failures.exit_code(asyncio.CancelledError()) == 130


def test_a_slug_may_be_finer_than_its_class() -> None:
    error = errors.Unreadable("It is locked.", hint="Unlock it.", code="encrypted")
    assert (error.slug, type(error).code, str(error)) == ("encrypted", "unreadable", "It is locked.")
    assert Refused("No.", status=401).slug == "refused"
