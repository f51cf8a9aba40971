"""A chat model asked to judge: JSON by schema, read strictly, asked again where the reply cannot be used.

Every judge of this room is a `Judge` with its own prompts. Invariant: whatever the model replies, a score or `Unusable`
comes out; what stops a whole run (a spent budget, an interrupt, a wrong setting) passes through.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.errors import BadInput, Upstream
from assay.evals.judges.prompts import AGAIN
from assay.evals.judges.reply import Unusable, one_line
from assay.evals.scorer import Instrument, Score
from assay.ledger.values import key_of
from assay.models.chat import ChatModel, ChatRequest, Completion, Message
from assay.models.prompt import Prompt, fenced

T = TypeVar("T")
Parts = Sequence[tuple[str, str]]

_REPEATED_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Judge:
    """`model`, asked up to `attempts` times for a reply that can be used; each is a call that is paid for.

    A model that follows a schema needs one attempt.
    """

    model: ChatModel
    attempts: int = 2

    def instrument(self, name: str, *prompts: Prompt) -> Instrument:
        """This judge as scores name it."""
        used = {prompt.name: prompt.digest for prompt in (*prompts, AGAIN)}
        return Instrument(name, f"{self.model.name} [{self.model.digest}]", used)

    def digest(self, name: str, *prompts: Prompt, **options: Any) -> str:
        """SHA-256 (hex) over everything that can change a score: the model, the prompts, the options."""
        used = {prompt.name: prompt.digest for prompt in (*prompts, AGAIN)}
        parts = {"name": name, "model": self.model.digest, "prompts": used, "attempts": self.attempts}
        return key_of("judge", parts | options)

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


TEXT: Mapping[str, Any] = {"type": "string"}
FLAG: Mapping[str, Any] = {"type": "integer", "enum": [0, 1]}
