"""The OpenAI wire format, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import Garbled
from assay.models.chat import ChatRequest, Message, Usage
from assay.models.translate import Assembly, check_json, usage_from_wire, wire_request

COUNTS = st.integers(0, 10_000)


@given(prompt=COUNTS, completion=COUNTS, cached=COUNTS, written=COUNTS, reasoning=COUNTS)
def test_buckets_are_disjoint_and_sum_to_what_the_wire_counted(
    prompt: int, completion: int, cached: int, written: int, reasoning: int
) -> None:
    usage = usage_from_wire(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
    )
    assert usage.input == prompt
    assert usage.output + usage.reasoning == completion
    assert min(usage.uncached, usage.cache_read, usage.cache_write, usage.output, usage.reasoning) >= 0


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens_details": None}])
def test_missing_counts_are_none(usage: dict[str, object]) -> None:
    assert usage_from_wire(usage) == Usage()


def assembly(**options: object) -> Assembly:
    request = ChatRequest((Message("user", "?"),), **options)  # type: ignore[arg-type]
    return Assembly(request, model="m", started=0.0)


def test_a_refusal_is_text_that_was_filtered() -> None:
    one = assembly()
    assert one.take({"choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}]})
    completion = one.completion()
    assert (completion.text, completion.finish_reason) == ("I will not.", "content_filter")


def test_reasoning_is_not_part_of_the_text() -> None:
    one = assembly()
    one.take({"choices": [{"delta": {"reasoning_content": "hm", "content": None}}]})
    one.take({"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}]})
    assert one.completion().text == "yes"


def test_an_end_that_never_came_is_garbled() -> None:
    one = assembly()
    one.take({"choices": [{"delta": {"content": "half"}}]})
    with pytest.raises(Garbled, match="broke off"):
        one.completion()


@pytest.mark.parametrize(
    ("text", "fine"), [('{"a": 1}', True), ('{"b": 1}', False), ("[1]", False), ("no", False), ("", False)]
)
def test_json_must_hold_what_the_schema_requires(text: str, fine: bool) -> None:
    schema = {"type": "object", "required": ["a"]}
    if fine:
        check_json(text, schema, finish="stop", model="m")
    else:
        with pytest.raises(Garbled):
            check_json(text, schema, finish="stop", model="m")


def test_strict_is_asked_only_of_schemas_it_allows() -> None:
    inner = {
        "type": "object",
        "properties": {"b": {"type": "string"}},
        "required": ["b"],
        "additionalProperties": False,
    }
    strict = {"type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": False}
    loose = {**strict, "properties": {"a": {**inner, "required": []}}}
    for schema, expected in ((strict, True), (loose, False), ({"type": "string"}, True)):
        body = wire_request(ChatRequest((Message("user", "?"),), schema=schema), stream=False)
        assert body["response_format"]["json_schema"]["strict"] is expected


def test_text_is_made_well_formed() -> None:
    body = wire_request(ChatRequest((Message("user", "a\ud800\x00é"),), stop=("\ud800",)), stream=True)
    assert body["messages"][0]["content"] == "a\ufffd\ufffdé"
    assert body["stop"] == ["\ufffd"]
