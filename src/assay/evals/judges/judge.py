"""A chat model asked to judge: JSON by schema, read strictly, asked again where the reply cannot be used.

Every judge of this room is a `Judge` with its own prompts. Invariant: whatever the model replies, a score or `Unusable`
comes out; what stops a whole run (a spent budget, an interrupt, a wrong setting) passes through.

The embedded model judges *briefly*. Left to itself it fills every list and sentence up to the cap, a minute a case, and
then there is no score because the JSON was cut off. So it is told to be brief and its schema bounds every text. The
words it is told are a prompt like any other: a brief judge is another instrument. Servers that take only OpenAI's
strict schemas refuse such bounds, and models behind them need none. Proved by `tests/unit/evals/judges/test_brief.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.errors import BadInput, Upstream
from assay.evals.judges.prompts import AGAIN, BRIEF
from assay.evals.judges.reply import Unusable, one_line
from assay.evals.scorer import Instrument, Score
from assay.ledger.values import key_of
from assay.models.chat import ChatModel, ChatRequest, Completion, Message
from assay.models.prompt import Prompt, fenced

T = TypeVar("T")
Parts = Sequence[tuple[str, str]]

REASON_CHARACTERS, TEXT_CHARACTERS = 100, 240
"""The longest reason and the longest other text (a statement, a question) in a brief judge's reply: what its prompt
asks for and a little more. A statement cut in half is judged as it stands, so it has room."""

_BRIEF_ROOM = 4

_REPEATED_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Judge:
    """`model`, asked up to `attempts` times for a reply that can be used; each is a call that is paid for.

    A model that follows a schema needs one attempt.
    """

    model: ChatModel
    attempts: int = 2

    @property
    def is_brief(self) -> bool:
        """Whether its replies are held short: those of the embedded model, which follows a schema to the letter."""
        return self.model.provider == "embedded"

    def instrument(self, name: str, *prompts: Prompt) -> Instrument:
        """This judge as scores name it."""
        return Instrument(name, f"{self.model.name} [{self.model.digest}]", self._used(prompts))

    def digest(self, name: str, *prompts: Prompt, **options: Any) -> str:
        """SHA-256 (hex) over everything that can change a score: the model, the prompts, the options."""
        parts = {
            "name": name,
            "model": self.model.digest,
            "prompts": self._used(prompts),
            "attempts": self.attempts,
        }
        return key_of("judge", parts | options)

    def _used(self, prompts: Sequence[Prompt]) -> dict[str, str]:
        return {prompt.name: prompt.digest for prompt in (*prompts, *[BRIEF] * self.is_brief, AGAIN)}

    async def ask(
        self,
        instructions: str,
        parts: Parts,
        *,
        schema: Mapping[str, Any],
        read: Callable[[Completion], T],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        top_logprobs: int | None = None,
    ) -> T:
        """What `read` makes of the reply to `instructions` about `parts` (name, text). Raises `Unusable`."""
        if self.is_brief:
            instructions, schema = f"{instructions}\n{BRIEF.text}", bounded(schema)
            # The schema ends the reply; scripts that take a token a character must not be cut off before it does.
            max_tokens *= _BRIEF_ROOM
        messages = [Message("system", instructions), Message("user", fenced(parts))]
        failed: Unusable | None = None
        for _ in range(self.attempts):
            request = ChatRequest(
                tuple(messages),
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                schema=schema,
                top_logprobs=top_logprobs,
                lenient=True,
            )
            try:
                completion = await self.model.complete(request)
            except (Upstream, BadInput) as error:
                # A repair that no longer fits the window says less than what was to be repaired.
                raise failed or Unusable(f"The judge failed ({error.slug}): {error.message}", again=False) from error
            try:
                return read(completion)
            except Unusable as unusable:
                failed = unusable
            if completion.finish_reason == "length":
                raise Unusable(f"{failed} It was cut off at {max_tokens} tokens.", again=False)
            if not failed.again or completion.finish_reason == "content_filter":
                raise failed
            said = completion.text[:_REPEATED_CHARACTERS]
            messages += [
                Message("assistant", said if said.strip() else "(nothing)"),
                Message("user", AGAIN.text.replace("{reason}", str(failed))),
            ]
        assert failed is not None
        raise failed


def failed(unusable: Unusable, **details: Any) -> Score:
    """The score of a case on which the judge failed: no value, and one line that says why."""
    return Score(None, error=str(unusable), details=details)


def joined(reasons: Sequence[str]) -> str:
    """Reasons as one text, for the page."""
    return "\n".join(one_line(reason) for reason in reasons if reason.strip())


def object_of(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object that has these properties, in this order, and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(items: Mapping[str, Any], *, least: int = 0, most: int) -> dict[str, Any]:
    """The JSON schema of a list."""
    return {"type": "array", "items": dict(items), "minItems": least, "maxItems": most}


def bounded(schema: Mapping[str, Any], *, name: str = "") -> dict[str, Any]:
    """The schema with every free text in it bounded; `name` is that of the property it describes."""
    found = dict(schema)
    if "properties" in found:
        found["properties"] = {key: bounded(value, name=key) for key, value in found["properties"].items()}
    if "items" in found:
        found["items"] = bounded(found["items"], name=name)
    if found.get("type") == "string" and "enum" not in found:
        found["maxLength"] = REASON_CHARACTERS if name == "reason" else TEXT_CHARACTERS
    return found


TEXT: Mapping[str, Any] = {"type": "string"}
FLAG: Mapping[str, Any] = {"type": "integer", "enum": [0, 1]}
