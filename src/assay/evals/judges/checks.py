"""Checks of judges kept in the ledger, so that every judged score can name the last one of its instrument."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from assay.evals.judges.report import Report, judge_key
from assay.evals.scorer import Instrument
from assay.evals.tables import judge_check
from assay.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Kept:
    """A check as it was kept: `report` is `Report.as_json`."""

    id: str
    created_ns: int
    report: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """One line: when, how many labels, phi with its interval."""
        day, phi = datetime.fromtimestamp(self.created_ns / 1e9, UTC).date(), self.report["phi"]
        if phi["value"] is None:
            told = "phi undefined"
        elif phi["low"] is None:
            told = f"phi {phi['value']:.2f}, no interval,"
        else:
            told = f"phi {phi['value']:.2f} [{phi['low']:.2f}, {phi['high']:.2f}]"
        return f"{day}: {told} on {self.report['n']} labels"


def save_check(database: Database, report: Report) -> str:
    """Keep a report; its id."""
    made = uuid.uuid4().hex
    row = {"id": made, "created_ns": time.time_ns(), "judge": report.key}
    with database.write() as connection:
        connection.execute(sa.insert(judge_check).values(**row, report=json.dumps(report.as_json(), allow_nan=False)))
    return made


def last_check(database: Database, key: str) -> Kept | None:
    """The newest check of the instrument `key` names (`judge_key`), or None where there is none."""
    query = sa.select(judge_check).where(judge_check.c.judge == key)
    with database.read() as connection:
        row = connection.execute(query.order_by(judge_check.c.created_ns.desc()).limit(1)).first()
    return None if row is None else Kept(row.id, row.created_ns, json.loads(row.report))


def checked(database: Database, instrument: Instrument) -> Instrument:
    """The instrument with its last check, in words; as it is where it was never checked."""
    kept = last_check(database, judge_key(instrument))
    return instrument if kept is None else replace(instrument, last_check=kept.summary)
