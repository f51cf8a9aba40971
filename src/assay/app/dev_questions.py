"""Questions a person may read: both systems on a few dev questions after a verdict, to see what changed.

They say nothing about the verdict, which rests on the confirm questions, and those stay unread.
"""

from collections.abc import Sequence

from assay.app.contender import Contender
from assay.app.evaluating import evaluation
from assay.app.measuring import Chosen, Measuring
from assay.app.settings import SettingsInForce
from assay.errors import AssayError
from assay.evals.case import Case


class DevQuestions:
    """The dev `cases` both of `sides` (incumbent, candidate) are to answer."""

    def __init__(
        self,
        measuring: Measuring,
        in_force: SettingsInForce,
        sides: tuple[Contender, Contender],
        *,
        set_name: str,
        cases: Sequence[Case],
        metric: str,
    ) -> None:
        self._measuring, self._in_force, self._sides = measuring, in_force, sides
        self._title, self.cases, self._metric = f"{set_name}, dev questions", list(cases), metric

    async def ask(self, *, budget_usd: float | None, budget_id: str) -> dict[str, str]:
        """The id of each side's run, empty where there is nothing to ask or a side cannot answer."""
        if not self.cases:
            return {}
        chosen = Chosen(self._title, self._measuring.save_part(self._title, self.cases), self.cases)
        runs: dict[str, str] = {}
        for name, side in zip(("incumbent", "candidate"), self._sides, strict=True):
            settings = side.in_force(self._in_force).changed({"evals.metrics": self._metric})
            try:
                async with evaluation(
                    self._measuring,
                    chosen,
                    settings,
                    system=side.system,
                    system_settings=side.system_settings or None,
                    budget_usd=budget_usd,
                    budget_id=budget_id,
                ) as ready:
                    record, _board = await ready.run()
            except AssayError:  # the verdict stands without anything to read
                return {}
            if record.status != "done":
                return {}
            runs[name] = record.id
        return runs
