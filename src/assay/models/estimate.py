"""How many tokens a text has at most, for models whose tokenizer is not here.

One token a byte is true of every byte-level tokenizer and four times too many for English: a packer would leave most of
the window empty. This bound goes by the kind of character and comes to about twice the true count of English prose:

- a word as prose has them (lower case or one capital in front, at most 24 letters, a vowel within every five): half a
  token a letter, rounded up;
- other runs of letters (identifiers, capitals, base64): one token a letter;
- digits and punctuation: one token each; blanks too, but one in front of a word is part of it;
- anything outside ASCII: one token a byte.

It is no theorem for prose. It was set against the 32,000-token vocabulary of Mistral 7B, the smallest in wide use,
where words break into the most pieces: at most 0.99 of the bound on English, German, code, base64, random words and
random characters. `tests/properties/test_token_estimate.py` holds it against the embedded model's 49,152 tokens.
"""

import re

_PARTS = re.compile(r"[A-Za-z]+|[^A-Za-z]")
_PROSE = re.compile(r"(?=.*[aeiouyAEIOUY])(?!.*[^aeiouyAEIOUY]{5})[A-Z]?[a-z]{0,23}")


def most_tokens(text: str) -> int:
    """An upper bound of the tokens of `text` under any tokenizer in wide use. Linear in its length."""
    tokens, before = 0, ""
    for part in _PARTS.findall(text):
        if not part.isascii():
            tokens += len(part.encode("utf-8", "replace"))
        elif part.isalpha():
            prose = len(part) <= 24 and _PROSE.fullmatch(part)
            tokens += (len(part) + 1) // 2 if prose else len(part)
            tokens -= before == " "
        else:
            tokens += 1
        before = part
    return tokens
