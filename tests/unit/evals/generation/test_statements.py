"""Sentences stand by themselves, or with their pronoun filled in; answers stay where they stand in the source."""

import pytest

from assay.documents.sentences import sentence_spans
from assay.evals.generation.statements import statements
from assay.evals.generation.texts import Excerpt


def _said(text: str) -> list[str]:
    return [statement.text for statement in statements(_excerpt(text))]


def _excerpt(text: str, start: int = 100) -> Excerpt:
    spans = tuple((start + a, start + b) for a, b in sentence_spans(text))
    return Excerpt("d.md", "", start, start + len(text), text, spans)


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        (
            "The harbour of Lund was rebuilt by the town. It was opened again in 1932 by the mayor, Anna Berg.",
            "The harbour of Lund was opened again in 1932 by the mayor, Anna Berg.",
        ),
        (
            "Ida Holm moved to Bergen after the war. She wrote the anthem of Zambria there within a single year.",
            "Ida Holm wrote the anthem of Zambria there within a single year.",
        ),
        ("The harbours of Lund were rebuilt by the town. It was opened again in 1932 by the mayor, Anna Berg.", ""),
        ("The harbour of Lund was rebuilt by the town. She wrote the anthem of Zambria there within a year.", ""),
        ("Nothing of it. It was opened again in 1932 by the mayor of the whole town, Anna Berg.", ""),
        ("The harbour of Lund was rebuilt by the town. This was opened again in 1932 by the mayor, Anna Berg.", ""),
    ],
)
def test_a_pronoun_is_filled_in_where_what_it_stands_for_is_plain(text: str, carried: str) -> None:
    said = _said(text)
    assert (carried in said) == bool(carried)
    assert not any(some.startswith(("It ", "She ", "This ")) for some in said)


def test_answers_stand_where_they_stand_in_the_source_and_never_in_what_was_carried_over() -> None:
    text = "The harbour of Lund was rebuilt by the town. It was opened again in 1932 by the mayor, Anna Berg."
    excerpt = _excerpt(text)
    last = list(statements(excerpt))[-1]
    at = last.text.index("1932")
    span = last.source_span(at, at + 4)
    assert span is not None
    assert excerpt.quote(*span) == "1932"
    assert last.source_span(0, 11) is None
    assert excerpt.quote(last.start, last.end).startswith("It was opened")
