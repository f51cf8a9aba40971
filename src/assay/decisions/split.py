"""Which cases people may look at (dev) and which are kept for decisions (confirm), decided once, by cluster.

Membership is drawn by a keyed hash of the cluster with a salt of the set, and written down the first time a cluster is
seen. It belongs to the set's name, so a new version of the set keeps it; new cases go where their cluster is. A confirm
cluster belongs to a season, whose evidence budget its cases spend; clusters that are new after a season has spent
anything begin the next one, with a budget of its own. A cluster that is given another name is not new: it inherits from
the cases in it, and a case that moved to another cluster stays where the worse of the two is (dev before confirm, an
older season before a newer one). Cases go from confirm to dev (`open_case`), never back.

Invariant: whatever is imported, renamed or split again, a case that was ever dev is never confirm, and no season gains
a case that an earlier one had. Proved by `tests/unit/decisions/test_split.py` and by arbitrary histories in
`tests/properties/test_split_properties.py`.
"""

import hashlib
import hmac
import secrets
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from assay.decisions.evidence_budget import charge_in, hold_set, standing_of
from assay.decisions.order import cluster_of
from assay.decisions.seasons import Opened, Season, Split
from assay.decisions.tables import split_case, split_cluster, split_set
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.index.insertion import chunks, storable
from assay.ledger.database import Database

DEV_SHARE = 0.3
FEWEST_CLUSTERS = 20
"""Of fewer nothing is drawn for dev: each part would be too small to learn from or to decide on."""

_LONGEST_LABEL = 200  # PostgreSQL's indexes hold no text of any length
_UNIT = 2**64


@dataclass(frozen=True, slots=True)
class _Place:
    part: str
    season: int


class SplitStore:
    """The splits of every set of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def split(self, set_name: str, cases: Sequence[Case], *, dev_share: float | None = None) -> Split:
        """Place every case that has no place yet, for good, and give all of them as they are divided.

        `dev_share` is the share of clusters drawn for dev (default 0.3), fixed at the first split. Raises BadInput for
        a share that is none or another one than before.
        """
        if dev_share is not None and not 0 <= dev_share < 1:
            raise BadInput(f"The dev share must lie in 0 to 1, not {dev_share}.", hint="Use 0.3 for three tenths.")
        if not cases:
            raise BadInput(f"The set {set_name} holds no cases.", hint="Give it at least one.")
        with self.database.write() as connection:
            hold_set(connection, set_name)
            salt, share = _drawn_with(connection, set_name, dev_share)
            _place_new(connection, set_name, cases, salt=salt, share=share)
            return _read(connection, set_name, cases, share)

    def read(self, set_name: str, cases: Sequence[Case]) -> Split | None:
        """The split as it stands, without placing anything; None for a set that was never split."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(split_set).where(split_set.c.set_name == set_name)).first()
            return None if row is None else _read(connection, set_name, cases, row.dev_share)

    def order_seed(self, set_name: str, season: int) -> str:
        """The seed of a season's order (see `order.ordered`): drawn with the split, so before any result.

        One order for all decisions of a season: what the incumbent answered for the last one is asked first again.
        Raises NotFound for a set that was never split.
        """
        with self.database.read() as connection:
            salt = connection.execute(sa.select(split_set.c.salt).where(split_set.c.set_name == set_name)).scalar()
        if salt is None:
            raise NotFound(f"{set_name} was never split.", hint=f"Split it: assay cases split {set_name}")
        return _keyed(salt, f"order of season {season}").hex()

    def open_case(self, set_name: str, case_id: str) -> Opened:
        """Move a confirm case with its whole cluster to dev, for a person to look at; its season loses one step.

        Again, or for a dev case, it changes and costs nothing. Raises NotFound for a case no split has placed.
        """
        with self.database.write() as connection:
            hold_set(connection, set_name)
            closed = _closed(connection, set_name, case_id)
            cost = 0.0
            for label, season in closed.items():
                where = (split_cluster.c.set_name == set_name) & (split_cluster.c.cluster == label)
                moved = {"part": "dev", "opened_ns": time.time_ns()}
                connection.execute(sa.update(split_cluster).where(where).values(moved))
                cost += charge_in(connection, set_name, season, label).lines[-1].alpha
            return Opened(tuple(closed), _members(connection, set_name, closed), cost)

    def would_open(self, set_name: str, case_id: str) -> Opened:
        """What `open_case` would move and cost now. Raises as it does."""
        with self.database.read() as connection:
            closed = _closed(connection, set_name, case_id)
            states = {season: standing_of(connection, set_name, season).spending for season in closed.values()}
            cost = 0.0
            for season in closed.values():
                cost += states[season].left - states[season].charge().left
                states[season] = states[season].charge()
            return Opened(tuple(closed), _members(connection, set_name, closed), cost)

    def is_confirm(self, set_name: str, cases: Iterable[Case]) -> set[str]:
        """The ids of those cases that are confirm cases of this set now."""
        cases = list(cases)
        with self.database.read() as connection:
            places = _places(connection, set_name, cases)
        return {case.id for case in cases if (place := places[case.id]) is not None and place.part == "confirm"}

    def hidden(self, cases: Iterable[Case]) -> set[str]:
        """The ids of cases whose wins and losses are not to be shown: their question is confirm in any set now."""
        return set(self.kept(cases))

    def kept(self, cases: Iterable[Case]) -> dict[str, tuple[str, str]]:
        """The `hidden` cases by id, each with the set and the id under which it can be opened."""
        parts: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        same = (split_cluster.c.set_name == split_case.c.set_name) & (split_cluster.c.cluster == split_case.c.cluster)
        query = sa.select(split_case, split_cluster.c.part).join(split_cluster, same)
        with self.database.read() as connection:
            if connection.execute(sa.select(split_case.c.question).limit(1)).first() is None:
                return {}  # nothing was ever split: the usual case costs nothing
            by_question: dict[str, list[str]] = defaultdict(list)
            for case in cases:
                by_question[question_digest(case)].append(case.id)
            for some in chunks(sorted(by_question)):
                for row in connection.execute(query.where(split_case.c.question.in_(some))):
                    parts[row.set_name, row.case_id, row.question].add(row.part)
        confirm = {question: (name, case) for (name, case, question), found in parts.items() if "dev" not in found}
        return {case_id: place for question, place in confirm.items() for case_id in by_question[question]}


def question_digest(case: Case) -> str:
    """SHA-256 (hex) of a question's words: the same question under another id, in another set, with other answers."""
    return hashlib.sha256(" ".join(case.question.split()).encode(errors="surrogatepass")).hexdigest()


def label_of(case: Case) -> str:
    """The case's cluster as the ledger keeps it: what no database refuses, and not too long for an index."""
    label = storable(cluster_of(case))
    if len(label) <= _LONGEST_LABEL:
        return label
    return label[: _LONGEST_LABEL - 65] + "#" + hashlib.sha256(label.encode()).hexdigest()


# ---- placing -----------------------------------------------------------------------------------


def _drawn_with(connection: Connection, set_name: str, dev_share: float | None) -> tuple[str, float]:
    """The salt and the share of a set, drawn now where it has none."""
    row = connection.execute(sa.select(split_set).where(split_set.c.set_name == set_name)).first()
    if row is None:
        salt, share = secrets.token_hex(32), DEV_SHARE if dev_share is None else dev_share
        made = {"set_name": set_name, "salt": salt, "dev_share": share, "created_ns": time.time_ns()}
        connection.execute(split_set.insert(), made)
        return salt, share
    if dev_share is not None and dev_share != row.dev_share:
        raise BadInput(
            f"{set_name} was split with a dev share of {row.dev_share:g}; a split is never drawn again.",
            hint="Leave --dev-share out, or give the new cases a set of their own.",
        )
    return row.salt, row.dev_share


def _place_new(connection: Connection, set_name: str, cases: Sequence[Case], *, salt: str, share: float) -> None:
    known = _clusters(connection, set_name)
    history = _history(connection, set_name)
    unseen = {label for label in map(label_of, cases) if label not in known}
    former: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if label_of(case) in unseen:
            former[label_of(case)] |= history.get(storable(case.id), set())
    inherited = {label: _worst(known[name] for name in names) for label, names in former.items() if names}
    fresh = sorted(unseen - set(inherited))
    if fresh:
        season = _open_season(connection, set_name, known)
        total = len(known) + len(fresh)
        dev = _drawn(fresh, salt=salt, share=share) if total >= FEWEST_CLUSTERS else set()
        inherited |= {label: _Place("dev" if label in dev else "confirm", season) for label in fresh}
    now = time.time_ns()
    _insert(
        connection,
        split_cluster,
        [
            {"set_name": set_name, "cluster": label, "part": place.part, "season": place.season, "added_ns": now}
            for label, place in sorted(inherited.items())
        ],
    )
    seen = {
        (storable(case.id), label_of(case)): question_digest(case)
        for case in cases
        if label_of(case) not in history.get(storable(case.id), set())
    }
    _insert(
        connection,
        split_case,
        [
            {"set_name": set_name, "case_id": case_id, "cluster": label, "question": question}
            for (case_id, label), question in seen.items()
        ],
    )


def _drawn(labels: Sequence[str], *, salt: str, share: float) -> set[str]:
    """Those of new clusters that become dev: the first of them by keyed hash, `share` of them on average.

    The fraction left over decides by a hash too, so clusters that come one by one are drawn like those of a batch.
    """
    ranked = sorted(labels, key=lambda label: (_keyed(salt, label), label))
    chance = int.from_bytes(_keyed(salt, "\0".join(ranked))[-8:]) / _UNIT
    return set(ranked[: floor(len(ranked) * share + chance)])


def _open_season(connection: Connection, set_name: str, known: Mapping[str, _Place]) -> int:
    """The season that new clusters belong to: the newest one, or the one after it where that has spent anything."""
    newest = max((place.season for place in known.values()), default=1)
    return newest + 1 if standing_of(connection, set_name, newest).lines else newest


def _worst(places: Iterable[_Place]) -> _Place:
    """Where something is that was in several places: dev if it was ever dev, else the oldest season."""
    found = list(places)
    part = "dev" if any(place.part == "dev" for place in found) else "confirm"
    return _Place(part, min(place.season for place in found))


# ---- reading -----------------------------------------------------------------------------------


def _read(connection: Connection, set_name: str, cases: Sequence[Case], share: float) -> Split:
    places = _places(connection, set_name, cases)
    dev, unplaced = [], []
    confirm: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        place = places[case.id]
        if place is None:
            unplaced.append(case)
        elif place.part == "dev":
            dev.append(case)
        else:
            confirm[place.season].append(case)
    seasons = [
        Season(
            number=number,
            cases=found,
            clusters=len({label_of(case) for case in found}),
            spending=standing_of(connection, set_name, number).spending,
        )
        for number, found in sorted(confirm.items())
    ]
    split = Split(set_name, share, dev, seasons, unplaced)
    return Split(set_name, share, dev, seasons, unplaced, tuple(_warnings(connection, split, cases)))


def _places(connection: Connection, set_name: str, cases: Collection[Case]) -> dict[str, _Place | None]:
    """Where each case is, by id: the worst of where its cluster is and of where it ever was."""
    known = _clusters(connection, set_name)
    history = _history(connection, set_name)
    found: dict[str, _Place | None] = {}
    for case in cases:
        labels = {label_of(case)} | history.get(storable(case.id), set())
        places = [known[label] for label in labels if label in known]
        found[case.id] = _worst(places) if places else None
    return found


def _warnings(connection: Connection, split: Split, cases: Sequence[Case]) -> Iterable[str]:
    clusters = len({label_of(case) for case in cases})
    if split.dev_share and not split.dev and clusters < FEWEST_CLUSTERS:
        yield (
            f"{clusters} clusters are too few to split (fewer than {FEWEST_CLUSTERS}): all are kept for decisions. "
            "Open a case to look at it, or add more."
        )
    if not split.seasons:
        yield "Every case may be looked at, so nothing is left to decide on. Add fresh cases."
    history = _history(connection, split.set_name)
    moved = sum(len(history.get(storable(case.id), ())) > 1 for case in cases)
    if moved:
        yield (
            f"{moved:,} cases were in another cluster before. A cluster under a new name is dev if any case in it was."
        )
    questions = sorted({question_digest(case) for case in cases})
    elsewhere: dict[str, int] = defaultdict(int)
    for some in chunks(questions):
        where = split_case.c.question.in_(some) & (split_case.c.set_name != split.set_name)
        query = sa.select(split_case.c.set_name, sa.func.count()).where(where).group_by(split_case.c.set_name)
        for name, count in connection.execute(query):
            elsewhere[name] += count
    for name, count in sorted(elsewhere.items()):
        yield (
            f"{count:,} of these questions are in the set {name} too, which was split by itself: "
            "what was learnt or decided there is not fresh here."
        )


def _clusters(connection: Connection, set_name: str) -> dict[str, _Place]:
    rows = connection.execute(sa.select(split_cluster).where(split_cluster.c.set_name == set_name))
    return {row.cluster: _Place(row.part, row.season) for row in rows}


def _history(connection: Connection, set_name: str) -> dict[str, set[str]]:
    """Every cluster each case was ever in, by the case's id as it is stored."""
    query = sa.select(split_case.c.case_id, split_case.c.cluster).where(split_case.c.set_name == set_name)
    found: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(query):
        found[row.case_id].add(row.cluster)
    return found


def _closed(connection: Connection, set_name: str, case_id: str) -> dict[str, int]:
    """The confirm clusters a case is or was in, each with its season; none where it is dev already."""
    clusters = _history(connection, set_name).get(storable(case_id))
    if not clusters:
        raise NotFound(f"{set_name} has no case {case_id!r} that was split.", hint=f"Run: assay cases split {set_name}")
    places = _clusters(connection, set_name)
    if _worst(places[label] for label in clusters).part == "dev":
        return {}
    return {label: places[label].season for label in sorted(clusters)}


def _members(connection: Connection, set_name: str, clusters: Collection[str]) -> tuple[str, ...]:
    where = (split_case.c.set_name == set_name) & split_case.c.cluster.in_(clusters)
    query = sa.select(split_case.c.case_id).where(where).distinct().order_by(split_case.c.case_id)
    return tuple(connection.execute(query).scalars())


def _insert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        connection.execute(table.insert(), list(rows))


def _keyed(salt: str, text: str) -> bytes:
    return hmac.digest(bytes.fromhex(salt), text.encode(errors="surrogatepass"), "sha256")
