"""What a generation gave: the cases, what was dropped and why, and in plain words how far they can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.evals.case import Case
from assay.evals.generation.draft import MEANING, Dropped, Kind, Reason

EVIDENCE = (
    "Published evidence: questions made by models rank retrievers much as people's questions do, but not the models "
    "that answer (arXiv 2508.11758)."
)

WITH_MODEL = (
    "On XQuAD two sets of 120 such questions ranked nine ways to retrieve as people's questions did at a Kendall's tau "
    "of .61 (.37 to .78) and .76 (.54 to .89), where another set of people's questions would reach about .92; both "
    "were kinder to lexical search and to small passages."
)
BY_RULE = (
    "On XQuAD it is not shown that questions made by rule alone rank ways to retrieve as people's do (Kendall's tau "
    ".20, -.11 to .57)."
)
"""Measured by `benchmarks/evals/generation.py` on evidence recall@1; the log has the runs."""


@dataclass(frozen=True, slots=True)
class GenerationProgress:
    """How far a generation is: `kept` of `wanted` cases of `kind`, after `tried` excerpts of it."""

    kind: Kind
    kept: int
    wanted: int
    tried: int
    kept_in_all: int
    wanted_in_all: int


@dataclass(frozen=True, slots=True)
class Generated:
    """Cases made from documents. `drafts` were judged, `dropped` of them by reason; `examples` are some of those.

    `short` are the kinds of which fewer were made than asked for, with how many are missing. `skipped` are checks that
    were not made, each with its reason. `prompts` are the digests of those used, by name.
    """

    cases: tuple[Case, ...]
    drafts: int
    dropped: Mapping[Reason, int]
    examples: tuple[Dropped, ...]
    short: Mapping[Kind, int]
    skipped: tuple[str, ...]
    model: str
    is_weak: bool
    prompts: Mapping[str, str]
    documents: int
    excerpts: int

    @property
    def kept_share(self) -> float:
        """Cases over drafts; 0 without drafts."""
        return len(self.cases) / self.drafts if self.drafts else 0.0

    @property
    def warning(self) -> str:
        """How far these questions can be trusted, in plain words."""
        said = [f"{len(self.cases)} questions were kept of {self.drafts} drafts ({self.kept_share:.0%})."]
        if self.is_weak:
            said.append(self._weakness())
        else:
            said.append("A model wrote them and checked them; no person has. Review them (assay cases review).")
        said.append(EVIDENCE)
        if self.short:
            said.append(
                "Fewer than asked: " + ", ".join(f"{kind} {lack} short" for kind, lack in self.short.items()) + "."
            )
        return " ".join([*said, *self.skipped])

    def _weakness(self) -> str:
        by_rule = sum("written:rule" in case.tags for case in self.cases)
        others = len(self.cases) - by_rule
        rules = f"{by_rule} are statements turned into questions by rule"
        wrote = f"{rules}, {others} were written by a very small model from one sentence each" if others else rules
        return (
            f"They are weak: {wrote}. They stay close to the text's own words, which flatters search by words, and "
            f"some ask for something other than their answer says. {WITH_MODEL if others > by_rule else BY_RULE} Do "
            "not read absolute scores off them, and review them (assay cases review) before you rely on them."
        )

    def reasons(self) -> list[tuple[str, int]]:
        """What drafts were dropped for, in words, the most frequent first."""
        ordered = sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))
        return [(MEANING[reason], count) for reason, count in ordered]

    def as_json(self) -> dict[str, Any]:
        """Everything but the cases."""
        return {
            "kept": len(self.cases),
            "drafts": self.drafts,
            "dropped": dict(self.dropped),
            "short": dict(self.short),
            "skipped": list(self.skipped),
            "model": self.model,
            "weak": self.is_weak,
            "prompts": dict(self.prompts),
            "documents": self.documents,
            "excerpts": self.excerpts,
            "warning": self.warning,
        }
