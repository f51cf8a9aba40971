"""The page of a race: it says what the view holds, accounts for every design, and lets no text act."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.report.race_page import race_file, race_html
from assay.app.report.race_plot import cost_scale, frontier_of, score_scale
from assay.app.report.race_view import RaceView
from assay.app.report.verdict_parts import points
from html_page import HtmlPage
from race_sample import hostile_view, race_view, with_prompts

NAME = "workspace"
VIEWS = {
    "done": lambda: with_prompts(race_view()),
    "undecided": lambda: race_view(verdict="UNDECIDED", priced=False),
    "running": lambda: race_view(rounds=3, status="running"),
    "confirming": lambda: race_view(changes={"status": "running", "confirmation": None, "confirming": 17}),
    "interrupted": lambda: race_view(rounds=2, status="interrupted"),
    "failed": lambda: race_view(12, failing=tuple(range(12)), unknown=(), changes={"winner": None, "status": "failed"}),
    "alone": lambda: race_view(1, failing=(), unknown=()),
    "big": lambda: race_view(300),
    "no incumbent": lambda: race_view(incumbent=None),
    "not begun": lambda: race_view(changes={"rounds": [], "status": "running", "winner": None, "confirmation": None}),
    "hostile": hostile_view,
}


@pytest.fixture(scope="module")
def done() -> dict[str, Any]:
    return race_view()


@pytest.mark.parametrize("name", VIEWS)
def test_every_page_is_well_formed_inert_and_names_no_other_file(name: str) -> None:
    for text in (str(race_html(VIEWS[name](), name=NAME)), race_file(VIEWS[name]())):
        page = HtmlPage(text)
        assert page.wrong == []
        assert page.left_open == []
        assert {"img", "iframe", "object", "form"} & set(page.tags) == set()
        assert [value for _, key, value in page.attributes if key.startswith("on") or key == "style"] == []
        addresses = [value for _, key, value in page.attributes if key in ("href", "src")]
        assert [one for one in addresses if not one.startswith(("/", "#content"))] == []
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("name", VIEWS)
def test_every_design_is_accounted_for_once_in_each_list(name: str) -> None:
    view = VIEWS[name]()
    page = HtmlPage(race_file(view))
    assert sorted(page.values("tr", "id")) == sorted(f"arm-{arm['number']}" for arm in view["arms"])
    assert len([one for one in page.values("svg", "class") if one == "lane"]) == len(view["arms"])
    ranked = RaceView(view).ranked
    assert sorted(arm["number"] for arm in ranked) == [arm["number"] for arm in view["arms"]]


def test_the_three_figures_are_those_of_the_view(done: dict[str, Any]) -> None:
    text, found = HtmlPage(race_file(done)).text, done["confirmation"]
    assert f"Gain as the race saw it{points(found['race_score'])} points" in text
    assert f"Gain confirmed{points(found['value'])} points" in text
    assert f"{points(found['low'])} to {points(found['high'])}, on {found['n']} questions the race never saw" in text
    assert f"Optimism{points(found['race_score'] - found['value'])} points" in text
    assert f"{done['spent']['calls']:,} of a grid's {done['plan']['grid_calls']:,}" in text
    share = 100 * done["spent"]["calls"] / done["plan"]["grid_calls"]
    assert f"{share:.1f}%" in text
    assert f"assay promote {found['decision_id'][:8]}" in text


def test_scores_means_and_reasons_of_every_design_are_those_of_the_view(done: dict[str, Any]) -> None:
    text = race_file(done)
    rows = dict(re.findall(r'<tr id="arm-(\d+)">(.*?)</tr>', text))
    for arm in done["arms"]:
        row = HtmlPage(rows[str(arm["number"])]).text
        assert f"{arm['mean']:.3f}{arm['low']:.3f} to {arm['high']:.3f}{arm['n']:,}" in row
        if arm["failed"] < arm["n"]:
            assert f"{arm['score']:.3f}{arm['score_low']:.3f} to {arm['score_high']:.3f}" in row
            assert f"{arm['p95_ms']:,.0f} ms" in row
        if not arm["is_in"]:
            assert f"round {arm['out_round']}: {arm['why']}" in row


def test_a_design_that_always_failed_gets_no_score_from_its_levels(done: dict[str, Any]) -> None:
    assert done["arms"][7]["score"] is not None
    row = HtmlPage(re.findall(r'<tr id="arm-7">(.*?)</tr>', race_file(done))[0]).text
    assert "always failed" in row
    assert f"{done['arms'][7]['score']:.3f}" not in row
    assert RaceView(done).arms[7]["on_frontier"] is False


def test_effects_are_those_of_the_view(done: dict[str, Any]) -> None:
    text = HtmlPage(race_file(done)).text
    for one in done["effects"]:
        said = (
            f"{one['level']} {one['arms']} designs{points(one['effect'])} {points(one['low'])} to {points(one['high'])}"
        )
        assert said in text


def test_a_verdict_that_promotes_nothing_offers_no_promotion() -> None:
    for verdict in ("UNDECIDED", "NOT_BETTER"):
        text = race_file(race_view(verdict=verdict))
        assert verdict in text
        assert "assay promote" not in text
    assert "was not shown to be better" in race_file(race_view(verdict="UNDECIDED"))


def test_while_it_runs_the_page_follows_it_and_the_file_does_not() -> None:
    view = race_view(rounds=3, status="running")
    text = str(race_html(view, name=NAME))
    assert f'data-live="/races/{view["race_id"]}/standing"' in text
    assert "data-until-done" in text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    assert "Round 3 of 6: 12 of 48 designs are in." in text
    assert "assay promote" not in text
    assert "data-live" not in str(race_html(race_view(), name=NAME))
    assert "<script" not in race_file(view)


def test_what_a_reader_opened_stays_outside_of_what_is_fetched_again() -> None:
    text = str(race_html(race_view(300, rounds=2, status="running", failing=(), unknown=()), name=NAME))
    live = text[text.index("data-live") : text.index("260 designs that got less far")]
    assert "<details" in text
    assert live.count("<details") == 1  # the one these words are in


@pytest.mark.parametrize("status", ["interrupted", "budget", "failed"])
def test_a_race_that_stopped_says_how_to_go_on(status: str) -> None:
    text = HtmlPage(race_file(race_view(rounds=2, status=status))).text
    assert "assay race space.toml --budget-usd 5" in text
    assert "What was asked is kept" in text


def test_cost_is_drawn_only_where_some_design_costs_something(done: dict[str, Any]) -> None:
    assert race_file(done).count('class="scatter-field"') == 2
    free = race_file(race_view(priced=False))
    assert free.count('class="scatter-field"') == 1
    assert "No design is known to cost anything" in free


def test_prompts_show_what_they_were_made_from() -> None:
    view = with_prompts(race_view())
    text = HtmlPage(race_file(view)).text
    for prompt in view["prompts"][1:]:
        assert f"#{prompt['digest'][:8]} made from #{prompt['parent'][:8]}" in text
    assert "Quote the sentence." in text


def test_keys_in_the_command_do_not_reach_the_page(done: dict[str, Any]) -> None:
    text = race_file(
        {**done, "command": ["race", "s.toml", "--set", "models.api_key=sk-abcdefghijklmnopqrstuvwxyz123456"]}
    )
    assert "sk-abcdefghijklmnopqrstuvwxyz123456" not in text


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_the_frontier_is_what_nothing_beats(pairs: list[tuple[float, float]]) -> None:
    best = frontier_of(pairs)
    assert best == sorted(set(best))
    for cost, score in pairs:
        assert any(one[0] <= cost and one[1] >= score for one in best)
    for one in best:
        assert not any(other != one and other[0] <= one[0] and other[1] >= one[1] for other in pairs)


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_scales_hold_what_they_draw_in_order(values: list[float]) -> None:
    arms = [{"score": v / 1e6, "score_low": v / 2e6, "score_high": v / 1e6} for v in values]
    for scale, shown in ((cost_scale(values), values), (score_scale(arms), [arm["score"] for arm in arms])):
        assert scale is not None
        shares = [scale.share(value) for value in sorted(shown)]
        assert shares == sorted(shares)
        assert all(scale.low <= value <= scale.high for value in shown)
        assert all(scale.low <= tick <= scale.high for tick in scale.ticks)


def test_worth_is_shown_where_a_trade_off_was_stated_and_a_limit_is_no_figure(done: dict[str, Any]) -> None:
    stated = {"usd_per_point": 0.01, "ms_per_point": None, "max_usd": None, "max_p95_ms": 500.0}
    arms = [{**arm, "utility": -9.4} if (arm["p95_ms"] or 0) > 500 else arm for arm in done["arms"]]
    text = HtmlPage(race_file({**done, "tradeoff": stated, "arms": arms})).text
    assert text.count("over the limit") == sum(arm["utility"] == -9.4 for arm in arms) > 0
    assert "-9.4" not in text
    assert "a point of quality is worth $0.0100 an answer, p95 may be 500 ms at most" in text
    assert "over the limit" not in race_file(done)
