"""A space is validated and counted before a call is spent: every mistake is said, every combination accounted for."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decisions.race.space import MOST_ARMS, Factor, Space, named, read_space, settled, space_of
from assay.errors import BadInput, BadSetting, NotFound


def space(text: str) -> Space:
    return space_of(tomllib.loads(text), where="space.toml")


WRONG = {
    "an empty file": ("", "space.toml has no factors"),
    "an empty section": ("[factors]", "has no factors"),
    "an empty nested section": ("[factors.index]", "has no factors"),
    "factors that are no section": ("factors = [1]", "factors must be a section"),
    "a factor without levels": ('[factors]\n"index.k" = []', "index.k has no levels"),
    "a factor with one value": ('[factors]\n"index.k" = 4', "index.k is no list of levels"),
    "a level twice": ('[factors]\n"index.k" = [4, 8, 4]', "has the level 4 twice"),
    "a level that is no number": ('[factors]\n"index.k" = [1.0, nan]', "no finite number"),
    "a level that is infinite": ('[factors]\n"index.k" = [-inf]', "no finite number"),
    "a level that holds one": ('[system]\ntarget = "a:b"\n[factors]\nks = [[1, nan]]', "no finite number"),
    "a date": ('[factors]\n"index.k" = [2024-01-01]', "a date or a time"),
    "a time": ('[factors]\n"index.k" = [08:00:00]', "a date or a time"),
    "a factor twice": ('[factors]\n"index.k" = [4]\n[factors.index]\nk = [8]', "[factors] has index.k twice"),
    "a range without a count": ('[factors]\n"index.k" = { from = 1, to = 9 }', "the space has no end"),
    "a range of no levels": ('[factors]\n"index.k" = { from = 1, to = 9, count = 0 }', "a count of 0"),
    "a range of half a level": ('[factors]\n"index.k" = { from = 1, to = 9, count = 2.5 }', "a count of 2.5"),
    "a range of too many": (f'[factors]\n"index.k" = {{ from = 1, to = 9, count = {MOST_ARMS + 1} }}', "a count of"),
    "a range of true": ('[factors]\n"index.k" = { from = 1, to = 9, count = true }', "a count of true"),
    "a range backwards": ('[factors]\n"index.k" = { from = 9, to = 1, count = 3 }', "runs from 9 to 1"),
    "a range of texts": ('[factors]\n"index.k" = { from = "a", to = "b", count = 3 }', "runs from a to b"),
    "a range without end": ('[factors]\n"index.k" = { from = 1, to = inf, count = 3 }', "runs from 1 to inf"),
    "a range from nowhere": ('[factors]\n"index.k" = { from = nan, to = 1, count = 3 }', "runs from nan to 1"),
    "a range to a huge number": (f'[factors]\n"index.k" = {{ from = 1, to = 1{"0" * 400}, count = 3 }}', "runs from 1"),
    "a range of one that is two": ('[factors]\n"index.k" = { from = 1, to = 2, count = 1 }', "runs from 1 to 2"),
    "half a range": ('[factors]\n"index.k" = { from = 1 }', "is no list of levels"),
    "a range with a step": ('[factors]\n"index.k" = { from = 1, to = 2, step = 1 }', "is no list of levels"),
    "an unknown section": ('[factor]\n"index.k" = [4]', "has no section [factor]"),
    "a base that is raced": ('[factors]\n"index.k" = [4]\n[base]\nindex.k = 4', "sets index.k in [base] and races it"),
    "a base twice": ('[factors]\n"index.k" = [4]\n[base]\n"answers.style" = "a"\nanswers.style = "b"', "style twice"),
    "a base with a date": ('[factors]\n"index.k" = [4]\n[base]\n"answers.style" = 2024-01-01', "a date or a time"),
    "a base of no number": ('[factors]\n"index.k" = [4]\n[base]\n"index.dense_weight" = nan', "no finite number"),
    "a base that is no section": ('base = 4\n[factors]\n"index.k" = [4]', "base must be a section"),
    "without that is a table": ('[factors]\n"index.k" = [4]\n[without]\n"index.k" = 4', "without is no list of tables"),
    "without nothing": ('[factors]\n"index.k" = [4]\n[[without]]', "without is no list of tables"),
    "without a factor": (
        '[factors]\n"index.k" = [4]\n[[without]]\n"index.mode" = "a"',
        "names index.mode, which is no",
    ),
    "without a level": ('[factors]\n"index.k" = [4, 8]\n[[without]]\n"index.k" = [4, 5]', "index.k = 5, which is none"),
    "without any level": ('[factors]\n"index.k" = [4, 8]\n[[without]]\n"index.k" = []', "none of its levels"),
    "a system without a target": ("[system]\n[factors]\nk = [4]", "[system] has one key, target"),
    "a system with a blank": ('[system]\ntarget = " "\n[factors]\nk = [4]', "[system] has one key, target"),
    "a system with a number": ("[system]\ntarget = 4\n[factors]\nk = [4]", "[system] has one key, target"),
    "a system with more": ('[system]\ntarget = "a:b"\nkey = 1\n[factors]\nk = [4]', "[system] has one key, target"),
    "a system that is a text": ('system = "a:b"\n[factors]\nk = [4]', "system must be a section"),
    "a negative trade-off": ('[factors]\n"index.k" = [4]\n[tradeoff]\nms_per_point = -1', "[tradeoff] ms_per_point:"),
    "a trade-off of nothing": ('[factors]\n"index.k" = [4]\n[tradeoff]\nmax_usd = 0', "[tradeoff] max_usd:"),
    "an infinite trade-off": ('[factors]\n"index.k" = [4]\n[tradeoff]\nmax_usd = inf', "[tradeoff] max_usd:"),
    "an unknown trade-off": ('[factors]\n"index.k" = [4]\n[tradeoff]\nusd = 1', "[tradeoff] usd:"),
    "a trade-off that is a number": ('tradeoff = 4\n[factors]\n"index.k" = [4]', "[tradeoff]"),
    "prompts that are wrong": ("[prompts]\nvariants = 0", "[prompts] variants:"),
    "too many designs": (
        "[factors]\n" + "\n".join(f'"k{n}" = [1, 2, 3, 4, 5, 6]' for n in range(5)),
        "has 7,776 designs; a race takes at most 2,000",
    ),
}


@pytest.mark.parametrize("why", WRONG)
def test_a_mistake_is_said_before_anything_is_spent(why: str) -> None:
    text, message = WRONG[why]
    with pytest.raises(BadInput) as raised:
        space(text)
    assert message in raised.value.message
    assert "space.toml" in raised.value.message
    assert raised.value.hint


def test_the_nearest_section_is_named() -> None:
    with pytest.raises(BadInput) as raised:
        space("[factor]\nk = [1]")
    assert raised.value.hint == "Did you mean [factors]?"
    with pytest.raises(BadInput) as raised:
        space("[quux]\nk = [1]")
    assert "[factors]" in raised.value.hint
    assert "[without]" in raised.value.hint


def test_as_many_designs_as_a_race_takes_are_taken() -> None:
    assert space(f'[factors]\n"k" = {{ from = 1, to = {MOST_ARMS}, count = {MOST_ARMS} }}').combinations == MOST_ARMS
    with pytest.raises(BadInput, match="4,000 designs"):
        space(f'[factors]\n"k" = {{ from = 1, to = {MOST_ARMS}, count = {MOST_ARMS} }}\n"j" = [1, 2]')


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no"):
        read_space(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        read_space(tmp_path)
    file = tmp_path / "space.toml"
    for wrong in (b"[factors", b"\xff\xfe[factors]", b"k = " + b"9" * 5_000, b"k = " + b"[" * 20_000):
        file.write_bytes(wrong)
        with pytest.raises(BadInput, match="is not valid TOML"):
            read_space(file)
    file.write_bytes(b'\xef\xbb\xbf[factors]\n"index.k" = [4, 8]')
    assert read_space(file).factors == (Factor("index.k", (4, 8)),)


@pytest.mark.parametrize(
    ("written", "levels"),
    [
        ("{ from = 1, to = 9, count = 3 }", (1, 5, 9)),
        ("{ from = 1, to = 3, count = 9 }", (1, 2, 3)),
        ("{ from = 0.2, to = 0.8, count = 4 }", (0.2, 0.4, 0.6, 0.8)),
        ("{ from = 0, to = 1.0, count = 3 }", (0.0, 0.5, 1.0)),
        ("{ from = 4, to = 4, count = 1 }", (4,)),
        ("{ from = 1e-12, to = 3e-12, count = 3 }", (1e-12, 2e-12, 3e-12)),
        ("{ from = -1.7e308, to = 1.7e308, count = 3 }", (-1.7e308, 0.0, 1.7e308)),
    ],
)
def test_a_range_is_spaced_equally_and_ends_where_it_says(written: str, levels: tuple[float, ...]) -> None:
    found = space(f'[factors]\n"k" = {written}').factors[0].levels
    assert found == levels
    assert [type(level) for level in found] == [type(level) for level in levels]


def test_keys_may_be_dotted_or_nested() -> None:
    dotted = space('[factors]\n"index.k" = [4, 8]\n"index.dense_weight" = { from = 0.0, to = 1.0, count = 2 }')
    nested = space("[factors.index]\nk = [4, 8]\ndense_weight = { from = 0.0, to = 1.0, count = 2 }")
    mixed = space("[factors]\nindex.k = [4, 8]\nindex.dense_weight = { from = 0.0, to = 1.0, count = 2 }")
    assert dotted == nested == mixed
    assert [arm.levels for arm in dotted.arms][1] == {"index.k": 4, "index.dense_weight": 1.0}
    based = space('[factors]\n"index.k" = [4]\n[base.answers]\nstyle = "quote"')
    assert based.base == {"answers.style": "quote"}


def test_settings_of_a_users_system_are_taken_as_they_are() -> None:
    found = space(
        '[system]\ntarget = "bot.py:answer"\n[factors]\n"a.b" = [{ c = 1 }, { c = 2 }]\ntop = [1, "1"]\n'
        "[base]\nnested = { deep = [1] }"
    )
    assert found.system == "bot.py:answer"
    assert found.base == {"nested": {"deep": [1]}}
    assert [arm.levels["a.b"] for arm in found.arms] == [{"c": 1}, {"c": 1}, {"c": 2}, {"c": 2}]


def test_a_rule_leaves_out_what_it_names_and_nothing_else() -> None:
    found = space(
        '[factors]\n"mode" = ["lexical", "fused"]\n"weight" = [0.2, 0.4, 0.6]\n'
        '[[without]]\nmode = "lexical"\nweight = [0.2, 0.4]\n[[without]]\nmode = "fused"\nweight = 0.6'
    )
    arms, left_out = settled(found, lambda levels: json.dumps(dict(levels)))
    assert [tuple(arm.levels.values()) for arm in arms] == [("lexical", 0.6), ("fused", 0.2), ("fused", 0.4)]
    assert {one.why for one in left_out} == {"left out by [[without]]"}
    assert [arm.levels for arm in found.arms] == [arm.levels for arm in arms]


def test_what_answers_alike_or_contradicts_itself_is_no_arm_and_says_why() -> None:
    def check(levels: Any) -> str:
        if levels["k"] == 3:
            raise BadInput("three is no number")
        if levels["k"] == 4:
            raise BadSetting("nor is four")
        return str(levels["k"] % 2)

    arms, left_out = settled(Space((Factor("k", (1, 2, 3, 4, 5)),)), check)
    assert [(arm.number, arm.levels["k"]) for arm in arms] == [(0, 1), (1, 2)]
    assert [one.why for one in left_out] == ["three is no number", "nor is four", "answers as k=1 does"]


def test_a_check_sees_what_holds_for_every_design() -> None:
    seen: list[Any] = []
    settled(
        Space((Factor("k", (1, 2)),), base={"style": "quote"}), lambda levels: str(seen.append(dict(levels)) or seen)
    )
    assert seen == [{"style": "quote", "k": 1}, {"style": "quote", "k": 2}]


def test_a_space_of_which_nothing_is_left_says_the_first_reason() -> None:
    def refuse(_levels: Any) -> str:
        raise BadInput("nothing will do.")

    with pytest.raises(BadInput, match=r"no design that could be raced. The first: nothing will do\."):
        settled(Space((Factor("k", (1, 2)),)), refuse)


def test_one_design_is_a_space() -> None:
    assert len(space('[factors]\n"index.k" = [4]').arms) == 1


def test_names_show_short_levels_and_the_digest_of_long_ones() -> None:
    assert named({"index.k": 4, "on": True, "w": 0.5, "style": "quote"}) == "index.k=4 on=true w=0.5 style=quote"
    assert named({"a": ""}) == 'a=""'
    told = named({"prompt": "Answer in one sentence."})
    assert told.startswith("prompt=#")
    assert len(told) == len("prompt=#") + 8
    assert named({"prompt": "Answer in two sentences."}) != told
    for text in ("a b", "a=b", "a,b", "a;b", "x" * 25, "\ud800" * 30):
        assert " " not in named({"p": text})
        assert named({"p": text}).startswith("p=#")
    assert named({"p": "x" * 24}) == "p=" + "x" * 24


def test_further_levels_are_added_once_and_the_rest_stays() -> None:
    found = space(
        '[system]\ntarget = "a:b"\n[factors]\nk = [1, 2]\nj = [1]\n[base]\nx = 1\n[[without]]\nk = 2\n'
        "[tradeoff]\nmax_usd = 1"
    )
    wider = found.with_levels("k", [2, 3, 3])
    assert {factor.name: factor.levels for factor in wider.factors} == {"j": (1,), "k": (1, 2, 3)}
    assert (wider.base, wider.without, wider.system, wider.tradeoff) == (
        found.base,
        found.without,
        found.system,
        found.tradeoff,
    )
    assert found.with_levels("prompt", ["a", "b"]).factors[-1] == Factor("prompt", ("a", "b"))
    assert found.factors[0].levels == (1, 2)


def test_prompts_alone_are_a_space_and_an_untouched_trade_off_is_none() -> None:
    found = space('[prompts]\nstart = "Be brief."')
    assert found.factors == ()
    assert found.prompts is not None
    assert not found.tradeoff.is_stated
    assert space('[factors]\n"k" = [1]\n[tradeoff]\nms_per_point = 50').tradeoff.is_stated


def test_what_names_a_space_can_be_kept_and_tells_spaces_apart() -> None:
    texts = [
        "[factors]\nk = [1, 2]",
        "[factors]\nk = [2, 1]",
        "[factors]\nk = [1, 2]\n[base]\nj = 1",
        "[factors]\nk = [1, 2]\n[[without]]\nk = 1",
        "[factors]\nk = [1, 2]\n[tradeoff]\nmax_usd = 1",
        "[factors]\nk = [1, 2]\n[prompts]",
        '[system]\ntarget = "a:b"\n[factors]\nk = [1, 2]',
    ]
    kept = [json.dumps(space(text).as_json(), allow_nan=False, sort_keys=True) for text in texts]
    assert len(set(kept)) == len(texts)
    assert kept == [json.dumps(space(text).as_json(), allow_nan=False, sort_keys=True) for text in texts]


_LEVELS = st.lists(st.one_of(st.integers(0, 9), st.text("ab ", max_size=3), st.booleans()), min_size=1, max_size=4)


@st.composite
def _spaces(draw: st.DrawFn) -> Space:
    names = draw(st.lists(st.text("abcd.", min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
    factors = []
    for name in names:
        levels = draw(_LEVELS)
        factors.append(Factor(name, tuple({json.dumps(level): level for level in levels}.values())))
    rules = [
        {factor.name: tuple(draw(st.lists(st.sampled_from(factor.levels), min_size=1, max_size=2)))}
        for factor in draw(st.lists(st.sampled_from(factors), max_size=2))
    ]
    return Space(tuple(factors), without=tuple(rules))


@given(_spaces(), st.integers(1, 5))
def test_every_combination_is_an_arm_or_left_out_with_its_reason(found: Space, kinds: int) -> None:
    def check(levels: Any) -> str:
        text = json.dumps(dict(levels))
        if len(text) % 7 == 0:
            raise BadInput("of that length")
        return str(len(text) % kinds)

    try:
        arms, left_out = settled(found, check)
    except BadInput:
        return
    assert found.combinations == math.prod(len(factor.levels) for factor in found.factors)
    assert len(arms) + len(left_out) == found.combinations
    every = [json.dumps(dict(one.levels)) for one in (*arms, *left_out)]
    assert len(set(every)) == len(every)
    assert [arm.number for arm in arms] == list(range(len(arms)))
    assert len({check(arm.levels) for arm in arms}) == len(arms)
    assert all(one.why for one in left_out)
    assert settled(found, check) == (arms, left_out)
    assert not any(
        all(arm.levels[key] in values for key, values in rule.items()) for arm in arms for rule in found.without
    )
