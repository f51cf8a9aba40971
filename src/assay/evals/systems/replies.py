"""Whatever a system gives back, as an `Output`: text, a mapping, an object, a list of passages, or one of our outcomes.

The documented form is `{"text", "declined", "citations", "passages", "confidence", "cost_usd", "usage", "calls",
"latency_ms", "trace_id"}`; names other libraries use for the same things are read too. Invariant: what is there and
cannot be read fails with its place (`passages[3].start`); it is never dropped, for a dropped passage would be a
wrong score. Proved by `tests/unit/evals/test_systems_replies.py`.
"""

import dataclasses
import json
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from assay.answers.outcome import Answer, Declined, Outcome
from assay.errors import Garbled
from assay.evals.output import Cited, Output, Retrieved
from assay.models.chat import Usage
from assay.models.translate import usage_from_wire
from assay.models.wellformed import well_formed

TEXT = ("text", "answer", "response", "output", "result", "content")
PASSAGES = ("passages", "contexts", "retrieved_contexts", "sources", "source_documents", "documents", "hits")
DOCUMENT = ("document", "source", "document_id", "doc_id", "file", "filename", "filepath", "path", "url", "uri", "id")
PASSAGE_TEXT = ("text", "content", "page_content", "passage", "chunk", "snippet", "body", "quote")
QUOTE = ("quote", "cited_text", "text", "content", "snippet")
SCORE = ("score", "relevance_score", "similarity")
_READ = {"declined", "citations", "confidence", "cost_usd", "usage", "calls", "latency_ms", "trace_id"}
_EXAMPLE = '{"text": "...", "passages": [{"document": "a.md", "text": "..."}]}'


def output_of(value: Any, *, who: str) -> Output:
    """The output that `value` is. `who` names the system in errors. Raises Garbled for what has no reading."""
    if isinstance(value, Output):
        return value
    if isinstance(value, Answer | Declined):
        return from_outcome(value)
    if value is None:
        raise Garbled(
            f"{who} returned nothing.",
            hint=f"Return the answer's text, a dict such as {_EXAMPLE}, or a list of passages.",
        )
    if isinstance(value, str):
        return Output(text=well_formed(value), cost_usd=None)
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return Output(passages=passages_of(value, who=who), cost_usd=None)
    shape = as_mapping(value)
    if shape is None:
        raise Garbled(
            f"{who} returned a {type(value).__name__}, which is no answer.",
            hint=f"Return the answer's text, a dict such as {_EXAMPLE}, or a list of passages.",
        )
    return _from_mapping(shape, who=who)


def is_answer(value: Any) -> bool:
    """Whether what `output_of` reads is an answer or a refusal, be it empty; else it is passages alone."""
    if isinstance(value, Output):
        return bool(value.text or value.declined or not value.passages)
    if isinstance(value, str | Answer | Declined):
        return True
    shape = as_mapping(value) or {}
    return bool(shape.get("declined")) or any(shape.get(name) is not None for name in TEXT)


def from_outcome(outcome: Outcome) -> Output:
    """An answer or a refusal of Assay's own."""
    return Output(
        text=outcome.text,
        declined=outcome.kind == "declined",
        citations=tuple(Cited(c.document, c.quote, c.start, c.end) for c in outcome.citations),
        passages=tuple(
            Retrieved(hit.source, hit.passage.text, hit.passage.start, hit.passage.end, float(hit.score))
            for hit in outcome.hits
        ),
        confidence=outcome.confidence,
        usage=outcome.usage,
        cost_usd=outcome.cost_usd,
        latency_ms=outcome.latency_ms,
        trace_id=outcome.trace_id,
        extra={"flags": list(outcome.flags)} if isinstance(outcome, Answer) and outcome.flags else None,
    )


def passages_of(value: Any, *, who: str, at: str = "passages") -> tuple[Retrieved, ...]:
    """Passages, best first: texts, mappings or objects with a text and a document."""
    found = []
    for number, item in enumerate(_items(value, who=who, at=at)):
        place = f"{at}[{number}]"
        if isinstance(item, Retrieved):
            found.append(item)
        elif isinstance(item, str):
            found.append(Retrieved("", well_formed(item)))
        else:
            fields = _fields(item, who=who, place=place)
            text = first(fields, PASSAGE_TEXT)
            start, end = span_of(fields.get("start"), fields.get("end"), who=who, place=place)
            found.append(
                Retrieved(
                    document=name_of(first(fields, DOCUMENT), who=who, place=f"{place}.document"),
                    text=text_of(text, who=who, place=f"{place}.text"),
                    start=start,
                    end=end,
                    score=number_of(first(fields, SCORE) or 0.0, who=who, place=f"{place}.score"),
                )
            )
    return tuple(found)


def citations_of(value: Any, *, who: str, at: str = "citations") -> tuple[Cited, ...]:
    """Citations: names of documents, or mappings with a document and, where known, a quote and its span.

    `start` and `end` count only beside `document`: other libraries use the same names for a place in the answer.
    """
    found = []
    for number, item in enumerate(_items(value, who=who, at=at)):
        place = f"{at}[{number}]"
        if isinstance(item, Cited):
            found.append(item)
        elif isinstance(item, str):
            found.append(Cited(well_formed(item)))
        else:
            fields = _fields(item, who=who, place=place)
            start, end = (fields.get("start"), fields.get("end")) if "document" in fields else (None, None)
            start, end = span_of(start, end, who=who, place=place)
            document = name_of(first(fields, DOCUMENT), who=who, place=f"{place}.document")
            quote = first(fields, QUOTE)
            found.append(
                Cited(document, "" if quote is None else text_of(quote, who=who, place=f"{place}.quote"), start, end)
            )
    return tuple(found)


def usage_of(value: Any, *, who: str) -> Usage:
    """Tokens from our own buckets, the OpenAI wire's or the Anthropic wire's; none for None."""
    if value is None:
        return Usage()
    if isinstance(value, Usage):
        return value
    fields = _fields(value, who=who, place="usage")
    ours = {field.name for field in dataclasses.fields(Usage)}
    try:
        if "input_tokens" in fields:  # Anthropic counts cached tokens beside the input, not inside it
            return Usage(
                uncached=int(fields["input_tokens"]),
                cache_read=int(fields.get("cache_read_input_tokens") or 0),
                cache_write=int(fields.get("cache_creation_input_tokens") or 0),
                output=int(fields.get("output_tokens") or 0),
            )
        if ours & set(fields):
            return Usage(**{name: int(fields[name] or 0) for name in ours & set(fields)})
        return usage_from_wire(fields)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise Garbled(f"{who}: usage cannot be read: {error}.", hint="Give token counts as whole numbers.") from error


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """The fields of a mapping, a pydantic model, a dataclass or a named tuple; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if callable(dump := getattr(value, "model_dump", None)):
        dumped: Mapping[str, Any] = dump()
        return dumped
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if callable(named := getattr(value, "_asdict", None)):
        fields: Mapping[str, Any] = named()
        return fields
    # A document of LangChain and its relatives, whatever class it is.
    if hasattr(value, "page_content"):
        return {"page_content": value.page_content, "metadata": getattr(value, "metadata", None) or {}}
    return None


def first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of `names` that has a value, at the top or in `metadata`; None where none has."""
    metadata = fields.get("metadata")
    for place in (fields, metadata if isinstance(metadata, Mapping) else {}):
        for name in names:
            if place.get(name) is not None:
                return place[name]
    return None


def text_of(value: Any, *, who: str, place: str) -> str:
    """Text. Raises Garbled for anything else."""
    if not isinstance(value, str):
        what = "is missing" if value is None else f"is a {type(value).__name__}"
        raise Garbled(f"{who}: {place} {what}, not text.", hint=f"Give {place} as text.")
    return well_formed(value)


def name_of(value: Any, *, who: str, place: str) -> str:
    """A document's name: text, or a number as text; empty for None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else text_of(value, who=who, place=place)


def number_of(value: Any, *, who: str, place: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number between `least` and `most`. Raises Garbled for anything else."""
    if _is_a(numbers.Real, value):
        number = float(value)
        if math.isfinite(number) and least <= number <= most:
            return number
    limits = f" between {least:g} and {most:g}" if math.isfinite(most) else f" of at least {least:g}"
    raise Garbled(
        f"{who}: {place} is {_shown(value)}, not a number{limits if math.isfinite(least) else ''}.",
        hint=f"Give {place} as such a number, or leave it out.",
    )


def span_of(start: Any, end: Any, *, who: str, place: str) -> tuple[int | None, int | None]:
    """Characters of a document; (None, None) where the system does not know them."""
    if start is None and end is None:
        return None, None
    for value in (start, end):
        if not _is_a(numbers.Integral, value):
            raise Garbled(
                f"{who}: {place} has the span {_shown(start)} to {_shown(end)}.",
                hint="Give start and end both, as characters of the document, or neither.",
            )
    first_character, after = int(start), int(end)
    if not 0 <= first_character <= after:
        raise Garbled(
            f"{who}: {place} has the span {first_character} to {after}.", hint="Give start before end, from 0."
        )
    return first_character, after


def flag_of(value: Any, *, who: str, place: str) -> bool:
    """True or false. Raises Garbled for anything else: a text "false" would count as true."""
    if isinstance(value, bool):
        return value
    raise Garbled(f"{who}: {place} is {_shown(value)}, not true or false.", hint=f"Give {place} as true or false.")


def _from_mapping(shape: Mapping[str, Any], *, who: str) -> Output:
    text_name = next((name for name in TEXT if shape.get(name) is not None), None)
    passages_name = next((name for name in PASSAGES if shape.get(name) is not None), None)
    declined = flag_of(shape.get("declined") or False, who=who, place="declined")
    if text_name is None and passages_name is None and not declined:
        keys = ", ".join(str(key) for key in list(shape)[:8]) or "none"
        raise Garbled(f"{who} returned no answer (its keys: {keys}).", hint=f"Return a dict such as {_EXAMPLE}.")
    confidence, cost = shape.get("confidence"), shape.get("cost_usd")
    taken = _READ | {text_name, passages_name}
    return Output(
        text="" if text_name is None else text_of(shape[text_name], who=who, place=text_name),
        declined=declined,
        citations=citations_of(shape.get("citations") or (), who=who),
        passages=() if passages_name is None else passages_of(shape[passages_name], who=who, at=passages_name),
        confidence=None if confidence is None else number_of(confidence, who=who, place="confidence", least=0, most=1),
        usage=usage_of(shape.get("usage"), who=who),
        cost_usd=None if cost is None else number_of(cost, who=who, place="cost_usd", least=0),
        latency_ms=number_of(shape.get("latency_ms") or 0.0, who=who, place="latency_ms", least=0),
        calls=int(number_of(shape.get("calls") or 0, who=who, place="calls", least=0)),
        trace_id=name_of(shape.get("trace_id"), who=who, place="trace_id"),
        extra=kept({str(key): item for key, item in shape.items() if key not in taken}),
    )


def kept(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of `fields` is JSON, for the page; None where nothing is."""
    found = {}
    for key, value in fields.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            continue
        found[key] = value
    return found or None


def _items(value: Any, *, who: str, at: str) -> Sequence[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value
    raise Garbled(f"{who}: {at} is a {type(value).__name__}, not a list.", hint=f"Give {at} as a list.")


def _fields(item: Any, *, who: str, place: str) -> Mapping[str, Any]:
    fields = as_mapping(item)
    if fields is None:
        raise Garbled(f"{who}: {place} is a {type(item).__name__}.", hint=f"Give {place} as text or as a dict.")
    return fields


def _is_a(kind: type, value: Any) -> bool:
    """Numbers of numpy count, true and false do not."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
