import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.answers.claims import claims_of


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It is so. [1] And so it goes [2, 3].", [("It is so.", (1,)), ("And so it goes.", (2, 3))]),
        ("Adjacent ones[4][5]! Lenticular【6】.", [("Adjacent ones!", (4, 5)), ("Lenticular.", (6,))]),
        ("[1] First of all. Then.", [("First of all.", (1,)), ("Then.", ())]),
        ("A range [2-4] here.", [("A range here.", (2, 3, 4))]),
        ("Named [Passage 2] and [source 3].", [("Named and.", (2, 3))]),
        ("Twice [1] the same [1].", [("Twice the same.", (1,))]),
        ("- one [1]\n- two [2]", [("- one", (1,)), ("- two", (2,))]),
        ("Dr. Smith [1] said 3.5 of 7.", [("Dr. Smith said 3.5 of 7.", (1,))]),
        ("See [3](http://example.org).", [("See [3](http://example.org).", ())]),
        ("An array a[i] and [note].", [("An array a[i] and [note].", ())]),
        ("", []),
    ],
)
def test_markers_belong_to_the_sentence_they_stand_in_or_after(written: str, expected: list[object]) -> None:
    assert [(claim.text, claim.cited) for claim in claims_of(written)] == expected


def test_a_wild_range_is_bounded() -> None:
    assert len(claims_of("All of it [1-999].")[0].cited) <= 21


@given(st.text(max_size=300))
def test_any_text_gives_claims_in_its_own_words(written: str) -> None:
    joined = "".join(claim.gap + claim.text for claim in claims_of(written))
    assert set(joined) <= set(written)
    assert len(joined) <= len(written)


@given(
    st.lists(
        st.sampled_from(["It is so.", "[1]", "[2, 3]", "[99]", "\n", "Why not?", "- item", "[", "]", "7"]), max_size=20
    )
)
def test_no_marker_survives_in_a_claim_and_none_is_invented(parts: list[str]) -> None:
    claims = claims_of(" ".join(parts))
    assert not any("[1]" in claim.text or "[2, 3]" in claim.text for claim in claims)
    assert {number for claim in claims for number in claim.cited} <= {1, 2, 3, 99, 7}
