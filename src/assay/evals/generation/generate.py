"""Cases from documents: excerpts drawn, questions written, filtered hard, and said how weak they are.

A strong model writes freely and is examined; the embedded one is led by the hand (`weak.py`). The drafts of an excerpt
depend on the seed, the excerpt and its partner alone and are taken in a fixed order, so a run that was stopped and is
started again over a cached model pays for nothing twice and gives the same cases. Proved by
`tests/unit/evals/generation/test_generate.py`.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from assay.errors import BadInput
from assay.evals.generation.checks import Checks
from assay.evals.generation.draft import KINDS, Kind
from assay.evals.generation.duplicates import Kept
from assay.evals.generation.generated import Generated, GenerationProgress
from assay.evals.generation.nearness import Nearness
from assay.evals.generation.strong import StrongWriter
from assay.evals.generation.targets import Targets
from assay.evals.generation.texts import Excerpt, HasText, sampled, spread
from assay.evals.generation.weak import WeakWriter
from assay.evals.generation.work import Work
from assay.index.hit import Retriever
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

SHARES: Mapping[Kind, float] = {"single": 0.5, "multi": 0.15, "unanswerable": 0.2, "adversarial": 0.15}
"""The share of each kind of question. An editor's choice: most questions people ask are of the first kind."""

_EXCERPTS_A_CASE = 4
_LEAST_EXCERPTS = 60
_LOWER_WORD = re.compile(r"\b[a-zäöüß]+\b")
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
    wanted = _parts(n, shares)
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
    work = Work(
        writer=writer,
        checks=Checks(nearness, strong, retriever, found_within),
        kept=Kept(embedder),
        targets=Targets(nearness, outside),
        at_once=1 if weak else at_once,
        progress=progress,
        wanted=wanted,
    )
    for kind in _ORDER:
        if kind in wanted:
            await work.fill(kind)
    return Generated(
        cases=tuple(work.cases(tags=("weak-model",) if weak else ())),
        drafts=work.drafts,
        dropped=dict(work.dropped),
        examples=tuple(work.examples),
        short={kind: count - len(work.done[kind]) for kind, count in wanted.items() if len(work.done[kind]) < count},
        skipped=tuple(_skipped(is_weak=weak, retriever=retriever)),
        model=model.name if model else "none",
        is_weak=weak,
        prompts={prompt.name: prompt.digest for prompt in writer.prompts},
        documents=len({excerpt.source for excerpt in drawn}),
        excerpts=len(drawn),
    )


def _parts(n: int, shares: Mapping[Kind, float]) -> dict[Kind, int]:
    """How many cases of each kind, summing to `n`: the largest remainders are rounded up."""
    total = sum(shares.values())
    if n < 1:
        raise BadInput(f"{n} cases were asked for.", hint="Ask for at least one.")
    if set(shares) - set(KINDS) or min(shares.values(), default=0) < 0 or total <= 0:
        raise BadInput(
            f"These shares of kinds make no sense: {dict(shares)}.",
            hint=f"Give numbers from 0 on for {', '.join(KINDS)}.",
        )
    exact = {kind: n * share / total for kind, share in shares.items() if share}
    parts = {kind: int(count) for kind, count in exact.items()}
    for kind in sorted(exact, key=lambda kind: parts[kind] - exact[kind])[: n - sum(parts.values())]:
        parts[kind] += 1
    return {kind: count for kind, count in parts.items() if count}


def _draw(
    documents: Iterable[HasText | tuple[str, str, str]],
    held_out: Iterable[HasText | tuple[str, str, str]],
    *,
    most: int,
    seed: int,
) -> tuple[list[Excerpt], list[Excerpt]]:
    """At most `most` excerpts of the documents, and of those held out."""
    return _excerpts(documents, most=most, seed=seed), _excerpts(held_out, most=most, seed=seed)


def _excerpts(documents: Iterable[HasText | tuple[str, str, str]], *, most: int, seed: int) -> list[Excerpt]:
    some = sampled(documents, most=most, seed=seed)
    return spread(some, per_document=-(-most // max(1, len(some))), seed=seed)[:most]


def _vocabulary(excerpts: Iterable[Excerpt]) -> frozenset[str]:
    """Words that are written in lower case somewhere: no names, then."""
    return frozenset(word for excerpt in excerpts for word in _LOWER_WORD.findall(excerpt.text))


def _skipped(*, is_weak: bool, retriever: Retriever | None) -> Iterator[str]:
    if is_weak:
        yield (
            "Whether a question can be answered without its passage was not checked: without documents this model "
            "answers at random."
        )
    if retriever is None:
        yield "Answers to unanswerable questions were looked for in the drawn excerpts only, not in every document."
