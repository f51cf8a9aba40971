"""The registry of prompts: every text a judge or a system was given, by name and by content, in the order of versions.

Registering is idempotent: a text that is known under its name is the same version, and a text that comes back after
others is in force again under its first date. Proved by `tests/unit/evals/test_prompts.py`.
"""

import difflib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from assay.errors import BadInput, NotFound
from assay.evals.tables import prompt
from assay.ledger.database import Database
from assay.models.prompt import Prompt

_SHORTEST_PREFIX = 4


@dataclass(frozen=True, slots=True)
class Version:
    """A prompt as it was first registered: `number` counts the versions of its name from 1."""

    number: int
    prompt: Prompt
    created_ns: int


class PromptStore:
    """Prompts in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, prompts: Iterable[Prompt]) -> None:
        """Keep every prompt that is not known yet, all or none."""
        insert = sa.text(
            "insert into prompt (digest, name, text, created_ns) values (:digest, :name, :text, :now) "
            "on conflict (digest, name) do nothing"
        )
        # Distinct times in the order given: they are what versions are told apart by.
        rows = [
            {"digest": one.digest, "name": one.name, "text": one.text, "now": time.time_ns() + number}
            for number, one in enumerate(prompts)
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert, rows)

    def find(self, what: str) -> Prompt:
        """The prompt with this digest (or the beginning of one), `name@digest`, or the newest of this name.

        Raises NotFound, and BadInput where several digests begin so.
        """
        versions = self.versions(what)
        if versions:
            return versions[-1].prompt
        name, _, digest = what.rpartition("@")
        if len(digest) < _SHORTEST_PREFIX:
            raise self._not_found(what)
        query = sa.select(prompt.c.name, prompt.c.text, prompt.c.digest).where(
            prompt.c.digest.startswith(digest, autoescape=True)
        )
        if name:
            query = query.where(prompt.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(prompt.c.created_ns.desc())).all()
        if not rows:
            raise self._not_found(what)
        if len({row.digest for row in rows}) > 1:
            raise BadInput(
                f"Several prompts begin with {what}: {', '.join(f'{row.name}@{row.digest}' for row in rows[:5])}.",
                hint="Give more of the digest.",
            )
        return Prompt(rows[0].name, rows[0].text)

    def names(self) -> list[str]:
        """Every name, sorted."""
        with self._database.read() as connection:
            return list(connection.execute(sa.select(prompt.c.name).distinct().order_by(prompt.c.name)).scalars())

    def versions(self, name: str) -> list[Version]:
        """The versions of a name, oldest first; empty for a name nobody registered."""
        query = sa.select(prompt.c.text, prompt.c.created_ns).where(prompt.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(prompt.c.created_ns, prompt.c.digest)).all()
        return [Version(number, Prompt(name, row.text), row.created_ns) for number, row in enumerate(rows, start=1)]

    def diff(self, a: str, b: str) -> str:
        """A unified diff between what `find` gives for `a` and for `b`; empty where the texts are equal."""
        return self.find(a).diff(self.find(b))

    def _not_found(self, what: str) -> NotFound:
        names = self.names()
        near = difflib.get_close_matches(what.partition("@")[0], names, n=1)
        known = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(names[:8])}." if names else ""
        return NotFound(
            f"There is no prompt {what!r}.", hint=known or "Run an evaluation first: it registers its prompts."
        )
