"""The tokenizer and chat template of SmolLM2, built from the vocabulary inside its GGUF file.

llama.cpp tokenises only through its HTTP side, a millisecond or more a call; a packer counts dozens of times an answer.
`tests/oracles/test_smollm2_tokenizer.py` holds every count to llama.cpp's own, on prose, code and random text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from assay.models.chat import Message
from assay.models.wellformed import well_formed

RECIPE = "smollm2-tokenizer-1"
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

_CONTROL = re.compile(
    r"<(?=\|(?:endoftext|im_start|im_end)\|>|(?:repo_name|reponame|file_sep|filename|gh_stars|issue_start"
    r"|issue_comment|issue_closed|jupyter_start|jupyter_text|jupyter_code|jupyter_output|jupyter_script|empty_output)>)"
)
_CACHED_TEXTS = 4096
_LONGEST_CACHED_CHARACTERS = 4000


def plain(text: str) -> str:
    """`text` with a blank after the `<` of each control token: `<|im_end|>` in a document must end no message."""
    return _CONTROL.sub("< ", well_formed(text))


def build(gguf: Path, target: Path) -> None:
    """Write the tokenizer of `gguf` to `target`, in the format of the tokenizers library; about 1 s."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, models, pre_tokenizers

    fields = GGUFReader(gguf).fields
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges: list[str] = fields["tokenizer.ggml.merges"].contents()
    vocabulary = {token: i for i, token in enumerate(tokens)}
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save(str(target))


class SmolLM2Tokenizer:
    """Counts tokens exactly. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(path))
        self._cached = lru_cache(maxsize=_CACHED_TEXTS)(self._encoded_length)

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt: template, default system message and the assistant's opening included."""
        turns = [(message.role, plain(message.content)) for message in messages]
        if turns and turns[0][0] != "system":
            turns.insert(0, ("system", DEFAULT_SYSTEM))
        # <|im_start|> role \n content <|im_end|> \n: each control token is one token and cuts the text around it.
        parts = [f"{role}\n{content}" for role, content in turns]
        return sum(3 + self.length(part) for part in parts) + 1 + self.length("assistant\n")

    def length(self, text: str) -> int:
        """Tokens of plain text."""
        return self._cached(text) if len(text) <= _LONGEST_CACHED_CHARACTERS else self._encoded_length(text)

    def _encoded_length(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)
