"""What was tuned on which questions: a prompt or design is never certified on what it was tuned on.

A candidate is named by keys: its subject, the digests of its prompts, the digest of its settings. Whoever searches for
a better one (a race, a prompt optimiser) records the keys of what came out with the cases it looked at; whoever decides
asks for the cases that are untouched. Questions are known by their words, whatever set they are in, and clusters of the
same set count as touched whole. Proved by `tests/unit/decisions/test_tuned.py` on both databases.
"""

import time
from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from assay.decisions.split import label_of, question_digest
from assay.decisions.tables import tuned as table
from assay.errors import BadInput
from assay.evals.case import Case
from assay.index.insertion import chunks, insert_ignoring
from assay.ledger.database import Database


class TunedOn:
    """The record of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def record(self, keys: Collection[str], set_name: str, cases: Iterable[Case]) -> None:
        """Note that what `keys` name was tuned on these cases. Again it changes nothing."""
        now = time.time_ns()
        rows = {
            (key, question_digest(case)): {
                "key": key,
                "set_name": set_name,
                "question": question_digest(case),
                "cluster": label_of(case),
                "at_ns": now,
            }
            for case in cases
            for key in keys
        }
        if rows:
            with self.database.write() as connection:
                # Sorted, so two processes that note the same cannot wait for each other in a circle.
                connection.execute(insert_ignoring(connection, table), [rows[key] for key in sorted(rows)])

    def clusters(self, keys: Collection[str], set_name: str, cases: Iterable[Case]) -> set[str]:
        """The clusters (`split.label_of`) of these cases that any of `keys` was tuned on, in part or whole."""
        questions: set[str] = set()
        clusters: set[str] = set()
        with self.database.read() as connection:
            for some in chunks(sorted(keys)):
                for row in connection.execute(sa.select(table).where(table.c.key.in_(some))):
                    questions.add(row.question)
                    if row.set_name == set_name:
                        clusters.add(row.cluster)
        return {label_of(case) for case in cases if label_of(case) in clusters or question_digest(case) in questions}

    def untouched(self, keys: Collection[str], set_name: str, cases: Sequence[Case]) -> list[Case]:
        """Those of the cases whose cluster none of `keys` was tuned on. Raises BadInput where none is left."""
        touched = self.clusters(keys, set_name, cases)
        left = [case for case in cases if label_of(case) not in touched]
        if cases and not left:
            raise BadInput(
                f"The candidate was tuned on every case of {set_name} that a decision could use.",
                hint="Add fresh cases to the set: assay cases import",
            )
        return left
