"""A plan in words, one fact a line: what `assay eval` prints before it starts.

What is not known is said to be unknown, and a time says what it rests on. Proved by `tests/unit/evals/test_plan.py`.
"""

from typing import TYPE_CHECKING

from assay.evals.timing import Range, clock

if TYPE_CHECKING:
    from assay.evals.plan import Plan

LONG_SECONDS = 180.0
"""From here on the plan says what would make it shorter."""


def lines_of(plan: "Plan") -> list[str]:
    """The plan, one fact a line."""
    return [*_work_lines(plan), *_cost_lines(plan), *_time_lines(plan), *_power_lines(plan)]


def _work_lines(plan: "Plan") -> list[str]:
    times = f" × {plan.replicas}" if plan.replicas > 1 else ""
    named = f" of {plan.set_name}" if plan.set_name else ""
    known = [f"{plan.finished} finished before"] * bool(plan.finished) + [f"{plan.cached} cached"] * bool(plan.cached)
    lines = [f"{plan.system}: {plan.cases} cases{times}{named}, {', '.join([*known, f'{plan.fresh} to ask'])}"]
    if plan.resumes:
        lines.append(f"goes on with run {plan.resumes[:8]}")
    calls = "not known before the first answers" if plan.model_calls is None else _shown(plan.model_calls, "{:.0f}")
    lines.append(f"model calls: {calls}")
    if plan.judges:
        calls = (
            "not known before the first judgements" if plan.judge_calls is None else _shown(plan.judge_calls, "{:.0f}")
        )
        before = f", {plan.judged} cases judged before" if plan.judged else ""
        lines.append(f"judge calls: {calls}{before} ({', '.join(plan.judges)})")
    return lines


def _cost_lines(plan: "Plan") -> list[str]:
    lines = []
    if plan.cost_usd is not None:
        lines.append(f"cost: {_shown(plan.cost_usd, '${:.2f}')}{' and what has no price' if plan.unpriced else ''}")
    if plan.unpriced:
        lines.append(f"NO KNOWN PRICE: {', '.join(plan.unpriced)}: what they cost is not in any figure here")
    return lines


def _time_lines(plan: "Plan") -> list[str]:
    unknown = f"{' and '.join(plan.untimed)} not known before the first cases (the bar tells then)"
    if plan.seconds is None:
        return [f"time: {unknown}"]
    lines = [f"time: {_span(plan.seconds)}{', and ' + unknown if plan.untimed else ''}"]
    if plan.timed_by:
        lines[0] += f" ({'; '.join(plan.timed_by)})"
    one = plan.judge_case_seconds
    if plan.slow_judge and one is not None and plan.seconds.expected >= LONG_SECONDS:
        lines.append(
            f"Judging with the embedded model takes about {_span(one)} a case. A larger model behind an endpoint is "
            "faster and a better judge (evals.judge, evals.judge_base_url); --limit takes fewer cases."
        )
    return lines


def _power_lines(plan: "Plan") -> list[str]:
    shown = [
        f"{effect * 100:.1f} points if {share:.0%} of cases differ"
        for share, effect in plan.detectable.items()
        if effect is not None
    ]
    lines = [f"can show a difference of {', '.join(shown)}" if shown else "too few cases to show any difference"]
    if plan.measured:
        of = ", ".join(f"{metric} {effect * 100:.1f}" for metric, effect in plan.measured.items())
        lines.append(f"from the last two runs on these cases, in points: {of}")
    if plan.clusters < plan.cases:
        lines.append(f"the cases come in {plan.clusters} clusters and show less than as many independent ones")
    return lines


def _span(found: Range) -> str:
    low, expected, high = map(clock, found)
    return expected if low == high else f"{low} to {high}"


def _shown(found: Range, form: str) -> str:
    low, expected, high = (form.format(figure) for figure in found)
    return expected if low == high else f"{expected} ({low} to {high})"
