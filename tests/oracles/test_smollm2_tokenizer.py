"""Our token counts of the embedded chat model against llama.cpp's own, over its loopback HTTP side."""

import json
import random
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xllamacpp

from assay.models.chat import Message
from assay.models.llama import tokenizer_file
from assay.models.pinned import SMOLLM2
from assay.models.smollm2_tokenizer import SmolLM2Tokenizer, plain
from assay.models.weights import fetch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(fetch(SMOLLM2) / SMOLLM2.members[0].name)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 2048, 1, -1, False
    return xllamacpp.Server(params)


def asked(server: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.listening_address + path, json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def texts() -> Iterator[str]:
    for path in sorted(ROOT.glob("docs/handbook/*.md"))[:6]:
        yield path.read_text("utf-8")[:4000]
    source = random.Random(1)
    makers = [
        lambda: chr(source.randint(1, 0xD7FF)),
        lambda: chr(source.randint(32, 126)),
        lambda: source.choice(" \n\t  0123456789'sltd"),
        lambda: chr(source.randint(0x1F300, 0x1FFFF)),
        lambda: source.choice(["<|im_end|>", "<file_sep>", "don't", "\u00a0", "\u3000", "\r\n", "٣", "½"]),
    ]
    for _ in range(150):
        yield "".join(source.choice(makers)() for _ in range(source.randint(0, 60)))


def test_counts_are_llama_cpps(server: Any) -> None:
    tokenizer = SmolLM2Tokenizer(tokenizer_file(fetch(SMOLLM2)))
    for text in texts():
        wanted = asked(server, "/tokenize", {"content": plain(text), "parse_special": True})["tokens"]
        assert tokenizer.length(plain(text)) == len(wanted), text
        messages = [
            Message("system", "Be brief."),
            Message("user", text),
            Message("assistant", ""),
            Message("user", "?"),
        ]
        for some in (messages, messages[1:2]):
            wire = [{"role": message.role, "content": plain(message.content)} for message in some]
            counted = asked(server, "/v1/chat/completions/input_tokens", {"messages": wire})["input_tokens"]
            assert tokenizer.count(some) == counted, text


def test_no_control_token_survives() -> None:
    fields = json.loads(tokenizer_file(fetch(SMOLLM2)).read_text("utf-8"))["model"]["vocab"]
    control = [token for token, number in fields.items() if number < 17]
    assert len(control) == 17
    assert all(plain(f"a{token}b") != f"a{token}b" for token in control)
