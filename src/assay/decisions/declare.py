"""From settings, cases and two systems to a hypothesis: metric, rule, looks and horizon, chosen before any result.

Which rule: clusters get looks at whole ones, because bets on their means have little power (240 clusters of 5
questions, a gain of 5 points, alpha .05: looks promote .975 of the time after 638 questions on average, bets .80 after
777: LOG.md); right-or-wrong answers that stand alone get the exact horizon, the most powerful that may be looked at
after every question; everything else is betting. Proved by `tests/unit/decisions/test_declare.py`.
"""

from collections.abc import Sequence

from assay.decisions.hypothesis import Hypothesis, Margins, Named, RuleName
from assay.decisions.order import Ordering
from assay.decisions.rules import MOST_CLUSTERS_FOR_LOOKS
from assay.decisions.settings import DecisionSettings
from assay.errors import BadSetting
from assay.evals.case import Case
from assay.evals.metrics import NEEDS_ANSWERS, RIGHT_OR_WRONG
from assay.evals.run_spec import RunSpec

_EXPECTED_DISAGREEMENT = 0.2
_SHORTEST_HORIZON = 20


def metric_for(options: DecisionSettings, cases: Sequence[Case]) -> str:
    """The metric to decide on. Raises BadSetting where `auto` finds none."""
    if options.metric != "auto":
        metric = options.metric.strip()
        if metric in NEEDS_ANSWERS and not any(case.answers for case in cases):
            raise BadSetting(
                f"{metric} compares with reference answers, and no case has one.",
                hint='Give the cases "answers", or name another metric (assay eval --list-metrics).',
            )
        return metric
    if any(case.answers for case in cases):
        return "answer_contained"
    if any(case.evidence for case in cases):
        return "evidence_recall@5"
    raise BadSetting(
        "The cases have neither answers nor evidence, so there is no metric to decide on without a judge.",
        hint="Name one: assay try --metric rubric (see assay eval --list-metrics).",
    )


def declared(
    options: DecisionSettings,
    *,
    set_name: str,
    season: int,
    set_digest: str,
    ordering: Ordering,
    metric: str,
    specs: Sequence[RunSpec],
    alpha: float,
) -> Hypothesis:
    """The hypothesis of a try. `specs` are those of the incumbent's run and the candidate's, on the ordered cases."""
    clusters = None if ordering.clusters is None else len(set(ordering.clusters))
    rule = _rule(metric, clusters, options, replicas=specs[0].replicas)
    items = len(ordering.cases)
    named = [Named(spec.system, spec.subject, spec.identity) for spec in specs]
    return Hypothesis(
        set_name=set_name,
        season=season,
        set_digest=set_digest,
        order_digest=ordering.digest,
        items=items,
        clusters=clusters,
        metric=metric,
        incumbent=named[0],
        candidate=named[1],
        scorers=tuple(sorted(scorer["digest"] for scorer in specs[0].scorers)),
        objective=options.objective,
        rule=rule,
        alpha=alpha,
        beta=options.beta,
        margins=Margins(
            margin=options.margin,
            smallest=options.smallest,
            cost_ratio=options.cost_ratio or None,
            latency_ratio=options.latency_ratio or None,
        ),
        horizon=max(_SHORTEST_HORIZON, round(items * _EXPECTED_DISAGREEMENT)) if rule == "exact-horizon" else None,
        looks=_looks(clusters or 0, options.looks) if rule == "cluster-looks" else (),
        replicas=specs[0].replicas,
    )


def _rule(metric: str, clusters: int | None, options: DecisionSettings, *, replicas: int) -> RuleName:
    if clusters is not None and clusters <= MOST_CLUSTERS_FOR_LOOKS:
        return "cluster-looks"
    # The mean of repeats is a share, not right or wrong.
    if clusters is None and metric in RIGHT_OR_WRONG and options.objective == "better" and replicas == 1:
        return "exact-horizon"
    return "betting"


def _looks(clusters: int, looks: int) -> tuple[int, ...]:
    """Cluster counts at which to look: equally spaced, the last at the end."""
    return tuple(sorted({round(clusters * look / looks) for look in range(1, looks + 1)} - {0}))
