"""The names we give to what a span records: one dialect, one table.

The names are those of the OpenTelemetry semantic conventions for generative AI, whose status is
"Development": they moved to a repository of their own (open-telemetry/semantic-conventions-genai)
and names still change (`gen_ai.system` became `gen_ai.provider.name`). So nobody else in Assay
spells them: rooms say `model`, this table says `gen_ai.request.model`, and a change of convention is
one line here. What the conventions have no name for is `assay.<name>`.

Token counts follow the conventions: `input_tokens` includes cached ones and `output_tokens`
includes reasoning. The disjoint buckets, whose sum is everything, stand beside them as
`assay.usage.*`.
"""

from typing import Protocol

DIALECT = "genai-2026-11"
"""Names the state of the conventions this table follows; kept with every trace."""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
ERROR_TYPE = "error.type"

DIALECT_NAME = "assay.dialect"
TRACE_START = "assay.trace_start_ns"
COST_USD = "assay.cost_usd"
UNPRICED = "assay.unpriced"
ERROR_MESSAGE = "assay.error.message"

NAMES: dict[str, str] = {
    "operation": OPERATION,
    "provider": PROVIDER,
    "model": REQUEST_MODEL,
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "stream": "gen_ai.request.stream",
    "response_model": "gen_ai.response.model",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "system": "gen_ai.system_instructions",
    "messages": "gen_ai.input.messages",
    "completion": "gen_ai.output.messages",
    "query": "gen_ai.retrieval.query.text",
    "retrieved": "gen_ai.retrieval.documents",
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "cost_usd": COST_USD,
}
"""The words rooms use, and the names they are recorded under."""

OPERATIONS: dict[str, str] = {
    "assay.ask": "invoke_workflow",
    "assay.search": "retrieval",
    "retrieve": "retrieval",
    "embed": "embeddings",
    "generate": "chat",
}
"""The operation of a span by its name, where the conventions know one."""

CONTENT: frozenset[str] = frozenset(
    {
        "gen_ai.system_instructions",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.retrieval.query.text",
        "gen_ai.retrieval.documents",
        "gen_ai.request.stop_sequences",
        "assay.question",
        "assay.prompt",
        "assay.answer",
        "assay.text",
        "assay.reason",
        "assay.quote",
        "assay.quotes",
        "assay.passages",
        "assay.document",
        "assay.documents",
        "assay.path",
        "assay.paths",
        ERROR_MESSAGE,
    }
)
"""What a user wrote, owns or was told. With `record_content = false` only its length is kept."""


class Tokens(Protocol):
    """Token counts in disjoint buckets; `assay.models.chat.Usage` is one."""

    @property
    def uncached(self) -> int: ...
    @property
    def cache_read(self) -> int: ...
    @property
    def cache_write(self) -> int: ...
    @property
    def output(self) -> int: ...
    @property
    def reasoning(self) -> int: ...


def recorded_name(word: str) -> str:
    """The name `word` is recorded under. A word with a dot in it is taken as it is."""
    return NAMES.get(word) or (word if "." in word else f"assay.{word}")


def usage_attributes(usage: Tokens, cost_usd: float | None) -> dict[str, int | float | bool]:
    """The attributes of one model call. `cost_usd` None means no price is known: recorded as unpriced, never as 0."""
    attributes: dict[str, int | float | bool] = {
        INPUT_TOKENS: usage.uncached + usage.cache_read + usage.cache_write,
        OUTPUT_TOKENS: usage.output + usage.reasoning,
        "assay.usage.uncached": usage.uncached,
        "assay.usage.cache_read": usage.cache_read,
        "assay.usage.cache_write": usage.cache_write,
        "assay.usage.output": usage.output,
        "assay.usage.reasoning": usage.reasoning,
    }
    if cost_usd is None:
        attributes[UNPRICED] = True
    else:
        attributes[COST_USD] = cost_usd
    return attributes
