import pytest

from assay.app.web.figures import count, duration, money, size


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(0, "0 ms"), (4.96, "5.0 ms"), (34.4, "34 ms"), (999.4, "999 ms"), (999.6, "1.00 s"), (1840, "1.84 s"),
     (9_999, "10.0 s"), (99_940, "99.9 s"), (99_960, "1 min 40 s"), (125_000, "2 min 05 s"), (119_700, "2 min 00 s")],
)  # fmt: skip
def test_durations_have_the_unit_one_reads_fastest(milliseconds: float, written: str) -> None:
    assert duration(milliseconds) == written


@pytest.mark.parametrize(
    ("cost_usd", "written"),
    [(None, "unpriced"), (0.0, "$0"), (0.00046, "$0.00046"), (0.000000123, "$0.000000123"), (0.41, "$0.41"),
     (0.9999, "$1.00"), (1234.5, "$1,234.50"), (0.5, "$0.50"), (0.415, "$0.415")],
)  # fmt: skip
def test_a_cost_is_never_rounded_to_nothing(cost_usd: float | None, written: str) -> None:
    assert money(cost_usd) == written


def test_counts_and_sizes() -> None:
    assert count(1, "passage") == "1 passage"
    assert count(1204, "passage") == "1,204 passages"
    assert [size(n) for n in (999, 1_500, 39_000_000, 93_400_000, 1_100_000_000)] == [
        "999 B", "1.5 kB", "39 MB", "93 MB", "1.1 GB",
    ]  # fmt: skip
