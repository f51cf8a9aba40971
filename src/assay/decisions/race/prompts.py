"""Prompts as a factor: a model reads what went wrong on dev questions and proposes other instructions, to be raced.

Reflection on failures in words is GEPA's (Agrawal et al. 2025, arXiv 2507.19457). Nothing is claimed for a variant
because a model wrote it or because it did well on a few questions: it is a level like any other. Invariants: a variant
says which prompt it came from and which cases its author saw; what is not usable is counted with its reason; a reply
never raises. Proved by `tests/unit/decisions/race/test_prompts.py`.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assay.answers.prompt import instructions_prompt
from assay.decisions.race.failures import Failure
from assay.decisions.race.reflection import REFLECT, Reason, Unfit, check, longest_for, read_reply, request_for
from assay.errors import BadInput, Upstream
from assay.evals.judges.reply import one_line
from assay.evals.prompts import PromptStore
from assay.models.chat import ChatModel, Completion
from assay.models.prompt import Prompt

OWN_KEY = "answers.instructions"

_SHOWN = 4
"""Failures a call shows. A model that sees many writes about their subjects; GEPA shows three."""

_BUILT_IN = (
    "The instructions you write are added at the end of these, which stay as they are. Do not repeat them. Of what is "
    "added now, repeat what should stay:\n\n"
)


class PromptSearch(BaseModel):
    """Instructions that a model proposes from failures on dev questions, raced as levels of one factor."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: str = Field(
        OWN_KEY, min_length=1, max_length=200, description="the setting that holds the instructions; yours or Assay's"
    )
    start: str = Field(
        "", max_length=20_000, description="the instructions to improve on; with Assay's own setting, what is added"
    )
    variants: int = Field(4, ge=1, le=32, description="variants a model proposes in each generation, a call each")
    generations: int = Field(1, ge=1, le=8, description="rounds of proposing, each from the best of those before")
    failures: int = Field(
        8, ge=1, le=64, description="failures looked at for one prompt, the worst first; a call shows four of them"
    )
    model: str = Field("", description="model that proposes, as models.chat names one; empty: models.chat itself")


@dataclass(frozen=True, slots=True)
class Variant:
    """Instructions and where they come from. `parent` is the digest of those they were made from, None for the start.

    `from_cases` are the dev cases whose failures the author was shown: nothing may be decided on them.
    """

    text: str
    parent: str | None = None
    from_cases: tuple[str, ...] = ()
    model: str = ""
    generation: int = 0

    @property
    def digest(self) -> str:
        """As `Prompt.digest`: the first 16 hex digits of the SHA-256 of the text."""
        return Prompt("", self.text).digest

    def as_json(self) -> dict[str, Any]:
        """As a race's view keeps it."""
        return {
            "digest": self.digest,
            "text": self.text,
            "parent": self.parent,
            "from_cases": list(self.from_cases),
            "model": self.model,
            "generation": self.generation,
        }


@dataclass(frozen=True, slots=True)
class Rejected:
    """A proposal that is not raced: what is wrong with it, one line that says so, and its text where there is one."""

    reason: Reason
    detail: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Proposals:
    """What came of asking: usable variants, the rest with reasons, and how many calls were made."""

    variants: tuple[Variant, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    calls: int = 0

    def __add__(self, other: "Proposals") -> "Proposals":
        return Proposals(self.variants + other.variants, self.rejected + other.rejected, self.calls + other.calls)

    @property
    def reasons(self) -> Mapping[Reason, int]:
        """How many were rejected for each reason, the most frequent first."""
        return dict(Counter(one.reason for one in self.rejected).most_common())

    @property
    def sentence(self) -> str:
        """`2 of 4 proposals are usable; rejected: 1 too_long, 1 leaked.` Where nothing was asked, why."""
        if not self.calls:
            return " ".join(one.detail for one in self.rejected)
        rest = ", ".join(f"{count} {reason}" for reason, count in self.reasons.items() if reason != "no_failures")
        return f"{len(self.variants)} of {self.calls} proposals are usable" + (f"; rejected: {rest}." if rest else ".")


def task_for(key: str) -> str:
    """What a proposing model has to know about the setting `key`: for Assay's own, what the model is told anyway."""
    return _BUILT_IN + instructions_prompt("").text if key == OWN_KEY else ""


async def propose(
    model: ChatModel,
    *,
    parent: str,
    failures: Sequence[Failure],
    count: int,
    generation: int,
    task: str = "",
    others: Iterable[str] = (),
    seed: int = 0,
    max_tokens: int | None = None,
) -> Proposals:
    """Up to `count` variants of the instructions `parent`, one call each, all at the same time.

    Each call shows other failures and has another seed, so they differ at temperature 0 too. `task` says what the
    instructions are for, `others` are texts that need not be proposed again. What the model replies, and that it fails,
    is counted in `rejected`; a budget that is used up (`LimitReached`) and cancellation are the caller's.
    """
    if not failures:
        return Proposals(rejected=(Rejected("no_failures", "There is no failure to learn from."),))
    shown = [_turn(failures, number, count) for number in range(count)]
    longest = longest_for(parent)
    replies = await asyncio.gather(
        *(
            _reply(model, parent=parent, failures=some, task=task, seed=seed + number, max_tokens=max_tokens)
            for number, some in enumerate(shown)
        ),
        return_exceptions=True,
    )
    variants: list[Variant] = []
    rejected: list[Rejected] = []
    known = [parent, *others]
    for reply, some in zip(replies, shown, strict=True):
        text = ""
        try:
            if isinstance(reply, BaseException):
                raise reply
            completion, seen = reply
            text = read_reply(completion)
            check(text, parent=parent, failures=some, known=known, longest=longest)
        except Unfit as error:
            rejected.append(Rejected(error.reason, str(error), text))
        except (Upstream, BadInput) as error:
            rejected.append(Rejected("model_failed", one_line(error.message)))
        else:
            known.append(text)
            cases = tuple(failure.case_id for failure in seen)
            variants.append(Variant(text, Prompt("", parent).digest, cases, completion.model, generation))
    return Proposals(tuple(variants), tuple(rejected), calls=len(replies))


def kept(store: PromptStore, variants: Iterable[Variant], *, key: str = OWN_KEY) -> None:
    """Register the variants' texts under the name of their setting, and what their author was told.

    `assay prompts show DIGEST` then reads them back, `assay prompts diff` says what a generation changed.
    """
    store.register([REFLECT, *(Prompt(key, variant.text) for variant in variants)])


def _turn(failures: Sequence[Failure], number: int, count: int) -> list[Failure]:
    """The failures that call `number` of `count` shows: windows that begin evenly spread over all of them."""
    start = number * len(failures) // count if len(failures) >= count else number
    return [failures[(start + place) % len(failures)] for place in range(min(_SHOWN, len(failures)))]


async def _reply(
    model: ChatModel, *, parent: str, failures: Sequence[Failure], task: str, seed: int, max_tokens: int | None
) -> tuple[Completion, Sequence[Failure]]:
    request, seen = await request_for(
        model, parent=parent, failures=failures, task=task, seed=seed, max_tokens=max_tokens
    )
    return await model.complete(request), seen
