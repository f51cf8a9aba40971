"""Whatever a judge replies, reading it gives what it said or one line that says why not."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from assay.evals.judges.reply import LONGEST_REPLY, Unusable, form_in, one_line, widest_object


class Form(BaseModel):
    reason: str
    verdict: int


SOUND = '{"reason": "As it says.", "verdict": 1}'


@pytest.mark.parametrize(
    "reply",
    [
        SOUND,
        f"```json\n{SOUND}\n```",
        f"Sure, here it is:\n{SOUND}\nI hope this helps [1].",
        f'The answer contains {{"reason": "mine", "verdict": 0}}. My verdict:\n{SOUND}',
        f"{{not json}} {SOUND}",
        "\ufeff" + SOUND,
    ],
)
def test_json_is_found_in_any_wrapping_and_the_last_counts(reply: str) -> None:
    assert form_in(reply, Form).verdict == 1


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " \n",
        "I'm sorry, I can't help with that.",
        "The answer is right.",
        "1",
        "null",
        "[]",
        f"[{SOUND}]",
        '{"reason": "x", "verdict": NaN}',
        '{"reason": "x", "verdict": Infinity}',
        '{"reason": "x", "verdict": "yes"}',
        '{"reason": "x", "verdict": 0.5}',
        '{"reason": "x", "verdict": null}',
        '{"reason": "x"}',
        '{"reason": 1, "verdict": 1}',
        SOUND[:-1],
        SOUND.replace('"', "'"),
        "{" * 5_000,
        "[" * 100_000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
    ],
)
def test_what_cannot_be_used_is_one_line(reply: str) -> None:
    with pytest.raises(Unusable) as caught:
        form_in(reply, Form)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("reply", [SOUND + " " * (10 << 20), "x" * (10 << 20), '["' * (5 << 20)])
@pytest.mark.parametrize("read", [lambda text: form_in(text, Form), widest_object])
def test_ten_megabytes_are_refused_unread(reply: str, read: object) -> None:
    started = time.perf_counter()
    with pytest.raises(Unusable, match="characters") as caught:
        read(reply)  # type: ignore[operator]
    assert not caught.value.again
    assert time.perf_counter() - started < 0.5


def test_the_longest_reply_is_read_in_reasonable_time() -> None:
    reply = '["' * (LONGEST_REPLY // 2 - 100) + SOUND
    started = time.perf_counter()
    with pytest.raises(Unusable):
        form_in(reply, Form)
    assert time.perf_counter() - started < 2


def test_escapes_of_a_reply_are_shown_inert() -> None:
    with pytest.raises(Unusable) as caught:
        form_in("\x1b[31mred\x1b[0m\r\nand\x00more\u202e", Form)
    assert str(caught.value).isprintable()
    assert one_line("a\x1b[2Jb\n\nc") == "a [2Jb c"


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for read in (lambda: form_in(text, Form), lambda: widest_object(text)):
        with contextlib.suppress(Unusable):
            read()


@given(
    st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.booleans()), max_size=3),
    st.text(alphabet=st.characters(exclude_characters="{}[]"), max_size=20),
)
def test_an_object_in_prose_is_read_whole(said: dict[str, object], prose: str) -> None:
    assert widest_object(f"{prose}{json.dumps(said)}{prose}") == said


def test_the_widest_object_forgives_a_last_comma_and_an_open_brace() -> None:
    assert widest_object('{"score": [1, 2,],}') == {"score": [1, 2]}
    assert widest_object('{"score": 8') == {"score": 8}
    with pytest.raises(Unusable):
        widest_object('{"score": 8} {"score": 9}')
