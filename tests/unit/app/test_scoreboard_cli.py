"""The scoreboard and a difference in characters: within the width, in ASCII where need be, inert, nothing left out."""

import io

import pytest
from rich.console import Console

from assay.app.cli.scoreboard import print_diff, print_scoreboard, score
from assay.evals.columns import Row
from assay.evals.diff import diff
from assay.evals.scoreboard import scoreboard
from assay.evals.scorer import Score


class Stream(io.TextIOWrapper):
    def __init__(self, encoding):
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding)

    def written(self):
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


def printed(show, *, width=100, encoding="utf-8"):
    stream = Stream(encoding)
    show(Console(file=stream, width=width, color_system=None, legacy_windows=False))
    return stream.written()


def rows(count=60, shift=0.0):
    for n in range(count):
        scores = {
            "exact_match": float(n % 10 < 7 + 2 * shift),
            "faithfulness": Score(None, "prose") if n % 20 == 3 else 0.5,
            **{f"recall@{k}": 1.0 for k in (1, 5, 10)},
        }
        yield Row(
            n,
            f"case-{n}",
            scores,
            tags=(f"t{n % 2}",),
            cost_usd=0.001,
            latency_ms=float(n),
            error="x" if n == 5 else "",
        )


@pytest.mark.parametrize("width", [20, 39, 60, 80, 100, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_line_fits_and_can_be_written(width, encoding):
    text = printed(lambda screen: print_scoreboard(screen, scoreboard(rows())), width=width, encoding=encoding)
    text += printed(lambda screen: print_diff(screen, diff(rows(), rows(70, 1.0))), width=width, encoding=encoding)
    assert max(map(len, text.splitlines())) <= width
    assert "exact_match" in text
    assert "?" not in text


def test_figures_failures_methods_and_slices_are_all_there():
    board = scoreboard(rows())
    text = printed(lambda screen: print_scoreboard(screen, board))
    metric = board.metrics["exact_match"]
    line = next(line for line in text.splitlines() if line.startswith("exact_match "))
    assert f"{metric.value:.3f}  {metric.low:.3f} to {metric.high:.3f}" in line
    assert line.split()[-2:] == ["60", "1"]
    judged = next(line for line in text.splitlines() if line.startswith("faithfulness"))
    assert f"{metric_range(board, 'faithfulness')}" in judged
    assert "recall@5" in text
    assert "recall@1 " not in text
    assert "and 2 more at other cuts" in text
    assert "wilson: 60 right-or-wrong scores" in text
    assert "2 tags looked at" in text
    assert "$0.00100 an answer" in text


def metric_range(board, name):
    return f"{board.metrics[name].worst:.3f}–{board.metrics[name].best:.3f}"


def test_the_bar_stands_where_the_interval_does():
    board = scoreboard([Row(n, str(n), {"m": float(n < 50)}) for n in range(100)])
    text = printed(lambda screen: print_scoreboard(screen, board), width=120)
    bar = next(line for line in text.splitlines() if line.startswith("m "))
    track = bar[bar.index("·") : bar.rindex("·") + 1]
    last = len(track) - 1
    assert track.index("●") == round(0.5 * last)
    assert track.index("├") == round(board.metrics["m"].low * last)
    assert track.index("┤") == round(board.metrics["m"].high * last)


def test_every_metric_can_be_asked_for():
    text = printed(lambda screen: print_scoreboard(screen, scoreboard(rows()), every_metric=True))
    assert "recall@1 " in text


def test_a_difference_names_runs_cases_and_verdicts():
    found = diff(rows(), rows(62, 1.0))
    text = printed(lambda screen: print_diff(screen, found, a="run 1a", b="run 2b", most_cases=2))
    assert "A  run 1a" in text
    assert "2 only in B" in text
    assert "higher" in text
    assert "case-7" in text
    assert f"and {len(found.cases) - 2} more that changed" in text


def test_names_from_outside_are_inert():
    hostile = "\x1b[31mred\x07\n[bold]x[/bold]"
    made = [Row(n, hostile + str(n), {hostile: float(n % 2)}, tags=(hostile,) if n < 30 else ()) for n in range(60)]
    turned = [Row(n, hostile + str(n), {hostile: 0.0}) for n in range(60)]
    text = printed(lambda screen: print_scoreboard(screen, scoreboard(made)))
    text += printed(lambda screen: print_diff(screen, diff(made, turned), a=hostile))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]x[/bold]" in text


def test_nothing_is_said_plainly():
    assert "No metric applied" in printed(lambda screen: print_scoreboard(screen, scoreboard([])))
    none = diff([Row(0, "a", {"m": 1.0})], [Row(0, "b", {"m": 1.0})])
    assert "No case is in both runs" in printed(lambda screen: print_diff(screen, none))


def test_a_score_that_is_not_0_or_1_never_reads_so():
    assert [score(value) for value in (0.0, 1.0, 0.9999, 0.0001, 0.5)] == ["0.000", "1.000", ">.999", "<.001", "0.500"]
