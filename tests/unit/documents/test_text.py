"""Encodings told from bytes."""

import os

import pytest

from assay.documents.text import decode, tidy
from assay.errors import Unreadable

GERMAN = "Die Straße über den Fluß ist schön. Größe zählt, sagte er – “gewiß”."


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-32", "utf-32"),
        ("plain letters without a mark", "utf-16-le", "utf-16-le"),
        ("plain letters without a mark", "utf-16-be", "utf-16-be"),
        (GERMAN, "cp1252", "cp1252"),
        ("El niño comió mañana en España, ¿verdad? 20°C, £5", "cp1252", "cp1252"),
        ("Привет, мир. Это текст для проверки кодировки, написанный по-русски. " * 2, "koi8_r", "koi8_r"),
        ("Привет, мир. Это текст для проверки кодировки, написанный по-русски. " * 2, "cp1251", "cp1251"),
        ("これは日本語の文章です。文字コードの判定を確認します。" * 2, "shift_jis", "cp932"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń." * 2, "cp1250", "cp1250"),
    ],
)
def test_the_text_comes_back_from_its_bytes(text: str, encoding: str, name: str):
    assert decode(text.encode(encoding), name="f.txt") == (text, name)


def test_a_few_damaged_bytes_do_not_turn_utf8_into_something_else():
    content = (GERMAN * 20).encode() + b"\xff tail"
    assert decode(content, name="f.txt") == (GERMAN * 20 + "\ufffd tail", "utf-8 (damaged)")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (os.urandom(4096) + b"\x00\x01\x02", "binary"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "binary"),
        (b"\x80\x81\x8d\x8f" * 100, "encoding"),
        (b"\xff\xfeo\x00d\x00d", "encoding"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, code: str):
    with pytest.raises(Unreadable) as caught:
        decode(content, name="f.txt")
    assert caught.value.slug == code
    assert "f.txt" in caught.value.message
    assert caught.value.hint


def test_newlines_nuls_and_lone_surrogates_are_made_fit_for_a_database():
    assert tidy("a\r\nb\rc\x00d\ud800e") == "a\nb\nc\ufffdd\ufffde"
