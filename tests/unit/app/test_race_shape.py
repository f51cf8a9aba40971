"""What a race's winner is served with: files that TOML reads back as they were meant."""

import tomllib

from assay.app.race_shape import system_toml, toml_of, utility
from assay.decisions.race.space import Tradeoff


def test_settings_are_read_back_as_they_were() -> None:
    said = {"index.k": 4, "answers.instructions": 'say "so"\n\x7f\u2028 é', "index.dense_weight": 0.6}
    read = tomllib.loads(toml_of(said, heading="two\nlines"))
    assert {f"{room}.{key}": value for room, keys in read.items() for key, value in keys.items()} == said


def test_a_functions_settings_are_read_back_whatever_they_hold() -> None:
    said = {"style": "kind", "weights": {"a b": 0.5, "nested": {"deep": [1, {"x": True}]}}, "steps": [1, 2]}
    read = tomllib.loads(system_toml("bot.py:answer", said, heading="winner"))["system"]
    assert read == {"kind": "callable", "target": "bot.py:answer", "settings": said}


def test_what_is_beyond_a_limit_is_behind_all_that_is_not() -> None:
    limits = Tradeoff(max_usd=0.1, max_p95_ms=500)
    assert utility(1.0, 0.2, 100, limits) < utility(0.0, 0.1, 500, limits)
    assert utility(1.0, 0.05, 600, limits) < utility(0.0, None, None, limits)
    priced = Tradeoff(usd_per_point=0.01, ms_per_point=50)
    assert abs(utility(0.8, 0.02, 100, priced) - (0.8 - 0.02 - 0.02)) < 1e-12
