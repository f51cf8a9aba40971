"""Cases from documents: excerpts drawn, questions written, filtered hard, and said how weak they are.

A strong model writes freely and is examined; the embedded one is led by the hand (`weak.py`). The drafts of an excerpt
depend on the seed, the excerpt and its partner alone and are taken in a fixed order, so a run that was stopped and is
started again over a cached model pays for nothing twice and gives the same cases. Proved by
`tests/unit/evals/generation/test_generate.py`.
"""

import asyncio
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.generation.checks import Checks
from assay.evals.generation.draft import KINDS, Draft, Dropped, Kind, Reason
from assay.evals.generation.duplicates import Kept
from assay.evals.generation.generated import Generated, GenerationProgress
from assay.evals.generation.nearness import Nearness
from assay.evals.generation.strong import StrongWriter
from assay.evals.generation.texts import Excerpt, HasText, sampled, spread
from assay.evals.generation.weak import WeakWriter
from assay.index.hit import Retriever
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

SHARES: Mapping[Kind, float] = {"single": 0.5, "multi": 0.15, "unanswerable": 0.2, "adversarial": 0.15}
"""The share of each kind of question. An editor's choice: most questions people ask are of the first kind."""

_EXCERPTS_A_CASE = 4
_LEAST_EXCERPTS = 60
_EXAMPLES = 50
# Kinds that need pairs choose first: what is left serves the others as well.
_ORDER: tuple[Kind, ...] = ("adversarial", "multi", "unanswerable", "single")


async def generate(
    documents: Iterable[HasText | tuple[str, str, str]],
    *,
    n: int,
    model: ChatModel | None,
    embedder: Embedder,
    seed: int = 0,
    shares: Mapping[Kind, float] = SHARES,
    held_out: Iterable[HasText | tuple[str, str, str]] = (),
    retriever: Retriever | None = None,
    found_within: int | None = None,
    is_weak: bool | None = None,
    at_once: int = 4,
    progress: Callable[[GenerationProgress], None] | None = None,
) -> Generated:
    """About `n` cases from documents (source, title, text), of the kinds and in the `shares` given; fewer where the
    filters leave fewer.

    Without a model, rules alone write. `is_weak` says whether the model must be led by the hand (default: the embedded
    one). `held_out` are documents the workspace does not hold: unanswerable questions are asked of them first.
    `retriever` looks for answers to unanswerable ones; without it only the drawn excerpts are looked at. With
    `found_within` it must also find the evidence of the others among so many hits, which flatters it later. `at_once`
    excerpts are worked on together by a strong model. Raises BadInput where there is nothing to ask about, and what
    stops a whole run (a spent budget, a wrong setting); a call that fails drops its draft.
    """
    _check(n, shares)
    wanted = {kind: count for kind, count in zip(KINDS, _parts(n, shares), strict=True) if count}
    weak = model is None or (model.provider == "embedded" if is_weak is None else is_weak)
    most = max(_LEAST_EXCERPTS, _EXCERPTS_A_CASE * n)
    drawn, outside = await asyncio.to_thread(_draw, documents, held_out, most=most, seed=seed)
    if not drawn:
        raise BadInput(
            "No document holds prose to ask about.", hint="Ingest documents with a few sentences of running text."
        )
    strong = None if weak or model is None else StrongWriter(model, seed=seed)
    writer = strong or WeakWriter(model, vocabulary=_vocabulary(drawn), seed=seed)
    nearness = await Nearness.of(drawn, embedder)
    work = _Work(
        writer=writer,
        checks=Checks(nearness, strong, retriever, found_within),
        kept=Kept(embedder),
        targets=_Targets(nearness, outside),
        at_once=1 if weak else at_once,
        progress=progress,
        wanted=wanted,
    )
    for kind in _ORDER:
        if kind in wanted:
            await work.fill(kind)
    return Generated(
        cases=tuple(work.cases(kind_order=KINDS, tags=("weak-model",) if weak else ())),
        drafts=work.drafts,
        dropped=dict(work.dropped),
        examples=tuple(work.examples),
        short={kind: count - len(work.done[kind]) for kind, count in wanted.items() if len(work.done[kind]) < count},
        skipped=tuple(_skipped(weak=weak, model=model, retriever=retriever)),
        model=model.name if model else "none",
        is_weak=weak,
        prompts={prompt.name: prompt.digest for prompt in writer.prompts},
        documents=len({excerpt.source for excerpt in drawn}),
        excerpts=len(drawn),
    )


@dataclass(frozen=True, slots=True)
class _Target:
    """What one attempt is made of: an excerpt, and for pairs its partner."""

    excerpt: Excerpt
    partner: Excerpt | None = None
    is_outside: bool = False


class _Targets:
    """What to ask of next. Excerpts that no question rests on yet come before the others."""

    def __init__(self, nearness: Nearness, outside: Sequence[Excerpt]) -> None:
        self.excerpts, self._outside = nearness.excerpts, outside
        self._pairs = nearness.neighbours()
        self._used: set[Excerpt] = set()

    def of(self, kind: Kind) -> Iterator[_Target]:
        if kind == "unanswerable":
            yield from (_Target(excerpt, is_outside=True) for excerpt in self._outside)
        targets = self._all(kind)
        later = []
        for target in targets:
            if target.excerpt in self._used:
                later.append(target)
            else:
                yield target
        yield from later

    def take(self, draft: Draft) -> None:
        """Note what a kept draft rests on."""
        self._used |= {draft.about, *(quote.excerpt for quote in draft.evidence)}

    def _all(self, kind: Kind) -> Iterator[_Target]:
        if kind in ("single", "unanswerable"):
            yield from (_Target(excerpt) for excerpt in self.excerpts)
            return
        seen: set[frozenset[Excerpt]] = set()
        for one, other, _ in self._pairs:
            pair = frozenset((one, other))
            if kind == "adversarial" or pair not in seen:
                seen.add(pair)
                yield _Target(one, other)


class _Work:
    """One generation under way."""

    def __init__(
        self,
        *,
        writer: WeakWriter | StrongWriter,
        checks: Checks,
        kept: Kept,
        targets: _Targets,
        at_once: int,
        progress: Callable[[GenerationProgress], None] | None,
        wanted: Mapping[Kind, int],
    ) -> None:
        self._writer, self._checks, self._kept, self._targets = writer, checks, kept, targets
        self._at_once, self._progress, self._wanted = at_once, progress, wanted
        self.done: dict[Kind, list[Draft]] = {kind: [] for kind in KINDS}
        self.drafts = 0
        self.dropped: Counter[Reason] = Counter()
        self.examples: list[Dropped] = []

    async def fill(self, kind: Kind) -> None:
        """Work through the targets of a kind until there are enough."""
        targets = self._targets.of(kind)
        tried = 0
        while len(self.done[kind]) < self._wanted[kind] and (some := list(itertools.islice(targets, self._at_once))):
            for draft, dropped in await _together([self._attempt(kind, target) for target in some]):
                tried += 1
                self.drafts += len(dropped) + (draft is not None)
                for one in dropped:
                    self._drop(one)
                if draft is not None and len(self.done[kind]) < self._wanted[kind]:
                    await self._keep(kind, draft)
            self._report(kind, tried)

    def cases(self, *, kind_order: Sequence[Kind], tags: Sequence[str]) -> Iterator[Case]:
        """What was kept, kind by kind; ids are unique."""
        seen: set[str] = set()
        for kind in kind_order:
            for draft in self.done[kind]:
                case = draft.case(tags=tags)
                if case.id not in seen:
                    seen.add(case.id)
                    yield case

    async def _attempt(self, kind: Kind, target: _Target) -> tuple[Draft | None, list[Dropped]]:
        """The first draft of a target that passes, and those dropped before it."""
        dropped: list[Dropped] = []
        for draft in await self._write(kind, target):
            if isinstance(draft, Dropped):
                dropped.append(draft)
                continue
            partner = target.partner if kind == "adversarial" else None
            fault = await self._checks.dropped(draft, partner)
            if fault is None:
                return draft, dropped
            dropped.append(fault)
        return None, dropped

    async def _write(self, kind: Kind, target: _Target) -> list[Draft | Dropped]:
        match kind:
            case "single":
                return await self._writer.single(target.excerpt)
            case "multi":
                assert target.partner is not None
                return await self._writer.multi(target.excerpt, target.partner)
            case "adversarial":
                assert target.partner is not None
                return await self._writer.adversarial(target.excerpt, target.partner)
            case "unanswerable" if target.is_outside:
                return [_unanswered(draft) for draft in await self._writer.single(target.excerpt)]
            case "unanswerable":
                return await self._writer.unanswerable(target.excerpt, self._targets.excerpts)

    async def _keep(self, kind: Kind, draft: Draft) -> None:
        twin = await self._kept.twin(draft.question)
        if twin is not None:
            self._drop(Dropped(draft.question, "duplicate", twin))
            return
        self.done[kind].append(draft)
        self._targets.take(draft)

    def _drop(self, dropped: Dropped) -> None:
        self.dropped[dropped.reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(dropped)

    def _report(self, kind: Kind, tried: int) -> None:
        if self._progress is not None:
            kept_in_all = sum(len(drafts) for drafts in self.done.values())
            wanted = self._wanted
            self._progress(
                GenerationProgress(kind, len(self.done[kind]), wanted[kind], tried, kept_in_all, sum(wanted.values()))
            )


async def _together(attempts: Sequence[asyncio.Future | object]) -> list:  # type: ignore[type-arg]
    ...


def _unanswered(draft: Draft | Dropped) -> Draft | Dropped:
    return replace(draft, answer="", evidence=(), kind="unanswerable") if isinstance(draft, Draft) else draft
