"""The estimate for models without a tokenizer here is an upper bound: held against the embedded model's vocabulary."""

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.models.estimate import most_tokens
from assay.models.llama import tokenizer_file
from assay.models.pinned import SMOLLM2
from assay.models.smollm2_tokenizer import SmolLM2Tokenizer
from assay.models.weights import fetch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tokenizer() -> SmolLM2Tokenizer:
    return SmolLM2Tokenizer(tokenizer_file(fetch(SMOLLM2)))


def prose_and_code() -> Iterator[str]:
    for path in sorted([*ROOT.glob("docs/handbook/*.md"), *ROOT.glob("src/assay/*/*.py")]):
        text = path.read_text("utf-8")
        yield from (text[i : i + 1500] for i in range(0, len(text), 1500))


def test_it_bounds_prose_and_code_without_wasting_the_window(tokenizer: SmolLM2Tokenizer) -> None:
    texts = list(prose_and_code())
    assert len(texts) > 100
    assert all(tokenizer.length(text) <= most_tokens(text) for text in texts)
    assert sum(map(most_tokens, texts)) < 2.5 * sum(map(tokenizer.length, texts))


def test_it_bounds_german(tokenizer: SmolLM2Tokenizer, data_folder: Path) -> None:
    articles = json.loads((data_folder / "qa" / "xquad" / "xquad.de.json").read_text("utf-8"))["data"]
    for article in articles:
        for paragraph in article["paragraphs"]:
            assert tokenizer.length(paragraph["context"]) <= most_tokens(paragraph["context"])


def test_it_bounds_what_is_no_prose(tokenizer: SmolLM2Tokenizer) -> None:
    source = random.Random(5)
    for _ in range(200):
        letters = "".join(source.choices("abcdefghijklmnopqrstuvwxyz      ", k=300))
        for text in (base64.b64encode(source.randbytes(200)).decode(), source.randbytes(200).hex(), letters):
            assert tokenizer.length(text) <= most_tokens(text), text


@settings(max_examples=300, deadline=None)
@given(text=st.text(min_size=20, max_size=300))
@example(text="A" * 200)
@example(text=" \n\t" * 100)
@example(text="1234567890" * 20)
def test_it_bounds_any_characters(tokenizer: SmolLM2Tokenizer, text: str) -> None:
    assert tokenizer.length(text) <= most_tokens(text) + 8  # the slack every message is counted with
