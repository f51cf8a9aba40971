"""What systems give back, in every shape their libraries have, is one shape of ours."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from assay.errors import Garbled
from assay.evals.output import Cited, Retrieved, output_from
from assay.evals.systems.replies import is_answer, output_of, usage_of
from assay.models.chat import Usage


class Reply(BaseModel):
    answer: str
    contexts: list[str] = []


@dataclass
class Plain:
    text: str
    confidence: float | None = None


Pair = namedtuple("Pair", "answer sources")


class LangDocument:
    """As LangChain has it, without being a model or a dataclass."""

    def __init__(self, page_content, metadata):
        self.page_content, self.metadata = page_content, metadata


@pytest.mark.parametrize(
    ("value", "text", "passages"),
    [
        ("yes", "yes", ()),
        ({"answer": "yes", "contexts": ["one"]}, "yes", (Retrieved("", "one"),)),
        (Reply(answer="yes", contexts=["one"]), "yes", (Retrieved("", "one"),)),
        (Plain("yes"), "yes", ()),
        (Pair("yes", [{"url": "u", "snippet": "one"}]), "yes", (Retrieved("u", "one"),)),
        (
            {"result": "yes", "source_documents": [LangDocument("one", {"source": "a.md", "score": 0.5})]},
            "yes",
            (Retrieved("a.md", "one", None, None, 0.5),),
        ),
        ({"response": "yes", "hits": [{"id": 7, "text": "one", "start": np.int64(2), "end": np.int64(5)}]}, "yes",
         (Retrieved("7", "one", 2, 5),)),
    ],
)  # fmt: skip
def test_shapes_of_answers(value, text, passages):
    output = output_of(value, who="bot")
    assert (output.text, output.passages, output.cost_usd) == (text, passages, None)
    assert is_answer(value)


def test_numbers_of_numpy_count_and_truth_values_do_not():
    assert output_of({"text": "x", "confidence": np.float32(0.5)}, who="bot").confidence == 0.5
    with pytest.raises(Garbled, match="confidence is True"):
        output_of({"text": "x", "confidence": True}, who="bot")
    with pytest.raises(Garbled, match="span True to 4"):
        output_of({"text": "x", "passages": [{"text": "t", "start": True, "end": 4}]}, who="bot")
    with pytest.raises(Garbled, match="span 5 to 2"):
        output_of({"text": "x", "passages": [{"text": "t", "start": 5, "end": 2}]}, who="bot")


def test_what_else_there_is_is_kept_where_it_is_json():
    output = output_of({"text": "x", "steps": [1, 2], "model": object(), "odds": float("nan")}, who="bot")
    assert output.extra == {"steps": [1, 2]}
    assert output_of({"text": "x"}, who="bot").extra is None


def test_offsets_of_a_citation_count_only_beside_its_document():
    shape = {
        "text": "x",
        "citations": [{"document": "a", "start": 1, "end": 3}, {"url": "b", "start": 1, "end": 3}, "c"],
    }
    assert output_of(shape, who="bot").citations == (Cited("a", "", 1, 3), Cited("b"), Cited("c"))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        (Usage(1), Usage(1)),
        ({"uncached": 5, "output": 2}, Usage(5, output=2)),
        ({"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 2}, Usage(5, 3, output=2)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 1}},
            Usage(9, output=3, reasoning=1),
        ),
    ],
)
def test_tokens_land_in_disjoint_buckets(usage, expected):
    assert usage_of(usage, who="bot") == expected


def test_half_characters_do_not_reach_the_ledger():
    output = output_of({"text": "a\ud800", "passages": ["b\udfff"]}, who="bot")
    (output.text + output.passages[0].text).encode()


NAMES = ["text", "answer", "passages", "citations", "declined", "document", "start", "end", "score", "usage"]
NAMES += ["input_tokens", "output", "x"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(NAMES),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@given(json_values)
def test_any_reply_is_an_output_that_can_be_kept_or_one_clear_error(value):
    try:
        output = output_of(value, who="bot")
    except Garbled as error:
        told = str(error).startswith("bot") and error.hint
    else:
        told = output_from(output.as_json()) == output
    assert told
