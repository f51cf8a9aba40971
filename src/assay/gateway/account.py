"""The account of one budget: reservations and settlements, committed in groups by one thread.

A batch is whatever has queued up while the last one was being written, in one transaction that holds the database's
write lock, so the sum of all processes is read and changed as one. A process writes only its own row, and whole values,
so a commit that is repeated changes nothing. Nobody is told of a reservation before it is committed: whatever is killed
when, a call under way is covered. Invariant: spent and held, over all owners, living and dead, exceed the limit only
where a call cost more than was reserved for it. Proved by `tests/properties/test_budget.py`.

A killed process leaves what it held: it counts as spent for ever. Whether an owner lives is what the lock of its claim
says (`assay.ledger.claim`). With SQLite a power cut may lose the last moments, as it does of the results they paid for.
"""

import asyncio
import atexit
import contextlib
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from assay.errors import AssayError, Conflict, LimitReached, Upstream
from assay.gateway.bill import dollars
from assay.gateway.tables import budget, budget_owner
from assay.ledger.claim import claimed, is_claimed
from assay.ledger.database import Database

RETRY_SECONDS = 0.5
POLL_SECONDS = 0.05  # for money that another process may give back


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands, in nano-dollars. `held` is reserved by living processes; `lost` was, by dead ones."""

    limit: int
    spent: int
    held: int
    lost: int

    @property
    def left(self) -> int:
        """What can be reserved now; negative where the limit was lowered or a call cost more than it should."""
        return self.limit - self.spent - self.held - self.lost

    @property
    def spent_usd(self) -> float:
        """US dollars that are gone: settled, or in flight when their process was killed."""
        return dollars(self.spent + self.lost)


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    """Somebody waits for a reservation."""

    nano: int
    future: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Payment:
    """A reservation ends, and cost this much."""

    held: int
    charge: int


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    held: int
    spent: int


class Account:
    """This process's part in the budget `budget_id`, opened with a limit that is in force for all from now on."""

    def __init__(self, database: Database, budget_id: str, limit: int) -> None:
        self._database, self._id = database, budget_id
        self._name = secrets.token_hex(8)
        self._claim = contextlib.ExitStack()
        self._claim.enter_context(claimed(database, _claim_of(self._name)))
        self._held = self._spent = 0
        self._dead: set[str] = set()
        self._changed = threading.Condition()
        self._queue: list[_Ask | _Payment] = []
        self._parked: list[_Ask] = []
        self._failure: AssayError | None = None
        self._closing = False
        _open(database, budget_id, limit, self._name)
        self._thread = threading.Thread(target=self._run, name="assay-budget", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    async def reserve(self, nano: int) -> None:
        """Hold `nano` of the budget, waiting for it where what is in flight may give it back. Raises LimitReached."""
        loop = asyncio.get_running_loop()
        ask = _Ask(nano, loop.create_future(), loop)
        self._put(ask)
        try:
            await ask.future
        except asyncio.CancelledError:
            if ask.future.done() and not ask.future.cancelled() and ask.future.exception() is None:
                self.settle(nano, 0)  # granted in the same moment
            raise

    def settle(self, held: int, charge: int) -> None:
        """End a reservation of `held` that cost `charge`. Never blocks."""
        if not held and not charge:
            return
        with self._changed:
            # After the end what is held stays held, which errs on the safe side.
            if self._failure is None and self._thread.is_alive():
                self._queue.append(_Payment(held, charge))
                self._changed.notify_all()

    def standing(self) -> Standing:
        """How the budget stands, over all processes. Reads the database."""
        with self._database.read() as connection:
            limit = connection.execute(sa.select(budget.c.limit_nano).where(budget.c.id == self._id)).scalar_one()
            owners = self._others(connection)
        return self._standing(limit, owners, held=self._held, spent=self._spent)

    def close(self) -> None:
        """Commit what is left and end the thread; the database stays open. Safe to call twice."""
        with self._changed:
            already, self._closing = self._closing, True
            self._changed.notify_all()
        if already:
            return
        atexit.unregister(self.close)
        self._thread.join()
        self._claim.close()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _put(self, ask: _Ask) -> None:
        with self._changed:
            if self._failure is not None:
                raise self._failure
            self._queue.append(ask)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._turn(batch)
            self._stop(Conflict("The budget was closed.", hint="Keep it open while calls are under way."))
        except AssayError as error:
            self._stop(error)
        except Exception as error:  # noqa: BLE001 the edge of a background thread: whoever waits must learn that it ended
            self._stop(Conflict(f"The budget can no longer be kept: {error!r}.", hint="Run the command again."))

    def _next(self) -> list[_Ask | _Payment] | None:
        """What has queued up; may be empty where somebody waits for another process. None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing, POLL_SECONDS if self._parked else None)
            if self._closing and not self._queue:
                return None
            batch, self._queue = self._queue, []
            return batch

    def _turn(self, batch: Sequence[_Ask | _Payment]) -> None:
        payments = [item for item in batch if isinstance(item, _Payment)]
        asks = self._parked + [item for item in batch if isinstance(item, _Ask)]
        asks = [ask for ask in asks if not ask.future.cancelled()]
        while True:
            try:
                answers = self._commit(payments, asks)
                break
            except Upstream:
                pass
            except Conflict as error:
                if error.slug != "conflict":  # locked is the only one that passes
                    raise
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, RETRY_SECONDS):
                    self._parked = asks
                    return
        self._parked = [ask for ask in asks if ask not in answers]
        self._tell(answers)

    def _commit(self, payments: Sequence[_Payment], asks: Sequence[_Ask]) -> "dict[_Ask, LimitReached | None]":
        """Settle and reserve in one transaction. The answers there are: None is a grant."""
        held = self._held - sum(payment.held for payment in payments)
        spent = self._spent + sum(payment.charge for payment in payments)
        answers: dict[_Ask, LimitReached | None] = {}
        with self._database.write() as connection:
            locked = sa.select(budget.c.limit_nano).where(budget.c.id == self._id).with_for_update()
            limit = connection.execute(locked).scalar_one()
            others = self._others(connection)
            left = limit - held - spent - sum(owner.held + owner.spent for owner in others)
            for ask in asks:
                if ask.nano <= left:
                    left, held = left - ask.nano, held + ask.nano
                    answers[ask] = None
            if len(answers) < len(asks):
                standing = self._standing(limit, others, held=held, spent=spent)
                most = standing.left + standing.held  # if everything in flight turned out free
                for ask in asks:
                    if ask not in answers and ask.nano > most:
                        answers[ask] = _refusal(ask.nano, standing)
            if (held, spent) != (self._held, self._spent):
                mine = (budget_owner.c.budget_id == self._id) & (budget_owner.c.owner == self._name)
                connection.execute(budget_owner.update().where(mine).values(held_nano=held, spent_nano=spent))
        self._held, self._spent = held, spent
        return answers

    def _others(self, connection: sa.Connection) -> list[_Owner]:
        rows = connection.execute(
            sa.select(budget_owner.c.owner, budget_owner.c.held_nano, budget_owner.c.spent_nano).where(
                (budget_owner.c.budget_id == self._id) & (budget_owner.c.owner != self._name)
            )
        )
        return [_Owner(*row) for row in rows]

    def _standing(self, limit: int, others: Sequence[_Owner], *, held: int, spent: int) -> Standing:
        lost = sum(owner.held for owner in others if owner.held and self._is_dead(owner.name))
        return Standing(
            limit=limit,
            spent=spent + sum(owner.spent for owner in others),
            held=held + sum(owner.held for owner in others) - lost,
            lost=lost,
        )

    def _is_dead(self, owner: str) -> bool:
        if owner not in self._dead and not is_claimed(self._database, _claim_of(owner)):
            self._dead.add(owner)  # names are random: the dead stay dead
        return owner in self._dead

    def _tell(self, answers: "dict[_Ask, LimitReached | None]") -> None:
        """Wake who asked, with one call for each event loop."""
        for loop in {ask.loop for ask in answers}:
            some = [(ask, answer) for ask, answer in answers.items() if ask.loop is loop]
            try:
                loop.call_soon_threadsafe(self._answer, some)
            except RuntimeError:  # the loop is closed: nobody waits any more
                for ask, answer in some:
                    if answer is None:
                        self.settle(ask.nano, 0)

    def _answer(self, answers: "Sequence[tuple[_Ask, AssayError | None]]") -> None:
        for ask, answer in answers:
            if ask.future.cancelled():
                if answer is None:
                    self.settle(ask.nano, 0)
            elif answer is None:
                ask.future.set_result(None)
            else:
                ask.future.set_exception(answer)

    def _stop(self, error: AssayError) -> None:
        with self._changed:
            self._failure = error
            waiting = self._parked + [item for item in self._queue if isinstance(item, _Ask)]
            self._queue.clear()
        for ask in waiting:
            with contextlib.suppress(RuntimeError):
                ask.loop.call_soon_threadsafe(self._answer, [(ask, error)])


def _claim_of(owner: str) -> str:
    return f"budget-{owner}"


def _open(database: Database, budget_id: str, limit: int, owner: str) -> None:
    with database.write() as connection:
        connection.execute(
            sa.text(
                "insert into budget (id, limit_nano, created_ns) values (:id, :limit, :now) "
                "on conflict (id) do update set limit_nano = excluded.limit_nano"
            ),
            {"id": budget_id, "limit": limit, "now": time.time_ns()},
        )
        connection.execute(budget_owner.insert().values(budget_id=budget_id, owner=owner, held_nano=0, spent_nano=0))


def _refusal(nano: int, standing: Standing) -> LimitReached:
    flying = f", {_usd(standing.held)} in flight" if standing.held else ""
    lost = f", {_usd(standing.lost)} of it in flight when a process was killed" if standing.lost else ""
    return LimitReached(
        f"The budget of {_usd(standing.limit)} is used up: {_usd(standing.spent + standing.lost)} spent{lost}{flying}, "
        f"and the next call may cost up to {_usd(nano)}.",
        hint="Raise the budget and run the same again: what is finished is not paid twice.",
    )


def _usd(nano: int) -> str:
    """Dollars to the cent, or to two digits that say something."""
    usd = dollars(nano)
    return f"${usd:,.2f}" if usd >= 0.1 or not usd else f"${usd:.2g}"
