"""Bytes to text: which encoding, and what no database or tokenizer can take.

Invariant: the text holds no NUL and no lone surrogate, its newlines are `\\n`, and otherwise it is
the file's text character by character, so a citation's span can be found in the file again. Proved by
`tests/unit/documents/test_text.py` and the round trips in `tests/properties/test_spans.py`.
"""

import codecs
import re

from assay.errors import Unreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_CONTROLS = bytes(set(range(32)) - {9, 10, 12, 13, 27}) + b"\x7f"
_SIGN_INSIDE = re.compile(r"[^\W\d_][\xa1-\xb4\xb6-\xb8\xba-\xbf\x80-\x89][^\W\d_]|[\xaa\xba]{2}|[a-z][À-ÖØ-ÞŠŒŽ]")
_SNIFFED = 65_536  # bytes looked at before the whole file is decoded
# The most a text may hold of control characters (form feeds and escapes aside) before it counts as binary.
_CONTROL_SHARE = 0.01


def tidy(text: str) -> str:
    """`text` with `\\n` for every newline and U+FFFD for each NUL and lone surrogate."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("\ufffd", text)


def decode(content: bytes, *, name: str) -> tuple[str, str]:
    """The text of a file's bytes and the encoding it was in: (tidied text, Python's name of the encoding).

    A byte-order mark decides; then UTF-8, if every byte agrees; then the likeliest legacy encoding.
    Raises Unreadable with code `binary` (not text at all) or `encoding` (text of no encoding we can tell).
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return tidy(_strict(content, encoding, name).removeprefix("\ufeff")), encoding
    if _is_binary(content[:_SNIFFED]):
        guess = _wide(content[:_SNIFFED])
        if guess is None:
            raise _binary(name, content)
        return tidy(_strict(content, guess, name)), guess
    try:
        return tidy(content.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        return _legacy(content, name)


def looks_like_text(content: bytes) -> bool:
    """Whether the first bytes of a file of unknown type are UTF-8 text."""
    if content.startswith(tuple(mark for mark, _ in _BOMS)):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return not _is_binary(content)


def _strict(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{name} says it is {encoding} but byte {error.start} is not",
            hint="Save the file as UTF-8 and try again.",
            code="encoding",
        ) from error


def _is_binary(sample: bytes) -> bool:
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > _CONTROL_SHARE * len(sample)


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: every other byte is NUL in text of mostly Latin letters."""
    half = max(len(sample) // 2, 1)
    if sample[1::2].count(0) > 0.7 * half and sample[::2].count(0) < 0.05 * half:
        return "utf-16-le"
    if sample[::2].count(0) > 0.7 * half and sample[1::2].count(0) < 0.05 * half:
        return "utf-16-be"
    return None


def _binary(name: str, content: bytes) -> Unreadable:
    kinds = ((b"%PDF", "PDF"), (b"PK\x03\x04", "ZIP or Office"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"))
    kind = next((kind for magic, kind in kinds if content.startswith(magic)), "")
    looks = f"; it looks like a {kind} file" if kind else ""
    return Unreadable(
        f"{name} is not text{looks}",
        hint="Give the file the ending of its real type, or leave it out.",
        code="binary",
    )


def _mostly_utf8(content: bytes) -> str | None:
    """UTF-8 with U+FFFD for a few damaged bytes, where there are twenty good letters outside ASCII to each."""
    text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    wide = sum(1 for letter in text[:_SNIFFED] if letter > "\x7f" and letter != "\ufffd")
    return text if wide >= 20 * text[:_SNIFFED].count("\ufffd") and wide > damaged else None


def _legacy(content: bytes, name: str) -> tuple[str, str]:
    """Text in an encoding older than UTF-8, which bytes alone do not name: the likeliest is taken, and said."""
    text = _mostly_utf8(content)
    if text is not None:
        return tidy(text), "utf-8 (damaged)"
    sample = content[:_SNIFFED]
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    western = _western(sample)
    if western is not None:
        encoding = western
    else:
        from charset_normalizer import from_bytes

        best = from_bytes(sample).best()
        encoding = best.encoding if best is not None else ""
    try:
        return tidy(content.decode(encoding)), encoding
    except (LookupError, UnicodeDecodeError) as error:
        raise Unreadable(
            f"{name} is in an encoding that cannot be told",
            hint="Save the file as UTF-8 and try again.",
            code="encoding",
        ) from error


def _western(sample: bytes) -> str | None:
    """cp1252 if what it makes of the high bytes reads like a Western European language.

    Detectors confuse its neighbours on short texts. In Western text accented letters are few among the plain
    ones and no currency or fraction sign stands between two letters; Cyrillic, Greek and Polish break one or
    the other.
    """
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return None
    letters = sum(map(str.isalpha, text))
    accented = sum(1 for letter in text if letter > "\x7f" and letter.isalpha())
    return "cp1252" if accented <= 0.25 * letters and not _SIGN_INSIDE.search(text) else None
