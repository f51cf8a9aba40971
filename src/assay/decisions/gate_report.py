"""A gate's finding where people and machines of a code review read it: Markdown for a comment, JUnit for a CI server.

What a file or a case is called comes from outside: it is shown as text, whatever it holds.
"""

from math import isfinite
from xml.etree import ElementTree

from assay.decisions.comparison import Change
from assay.decisions.figures import points
from assay.decisions.gate import Gate, Passing

_MARKS = {Passing.PASSED: "✅", Passing.WORSE: "❌", Passing.NOT_SHOWN: "⚠️"}
_BAR = 41


def markdown(gate: Gate, *, title: str = "Assay gate") -> str:
    """A comment for a pull request: verdict, table, plot, and how to read it."""
    comparison, difference = gate.comparison, gate.comparison.difference
    rows = [
        ("score", f"{comparison.incumbent_mean:.3f}", f"{comparison.candidate_mean:.3f}", _interval(gate)),
        *_change("cost", comparison.cost, "${:.4f}"),
        *_change("p95 latency", comparison.latency, "{:,.0f} ms"),
    ]
    lines = [
        f"### {_MARKS[gate.passing]} {title}: {gate.verdict}",
        "",
        gate.sentence(),
        "",
        f"| | {_cell(gate.called.incumbent)} | {_cell(gate.called.candidate)} | difference |",
        "|---|---:|---:|---|",
        *(f"| {name} | {before} | {after} | {change} |" for name, before, after, change in rows),
        "",
        "```",
        *_plot(gate),
        "```",
        "",
        f"{comparison.n:,} cases: {comparison.wins:,} better, {comparison.losses:,} worse, {comparison.ties:,} equal. "
        f"Margin {100 * gate.margins.margin:g} points, each limit at {100 * gate.alpha:g}% "
        f"({difference.method}: {_cell(difference.reason)}).",
    ]
    lines += [f"- {_cell(note)}" for note in (*comparison.notes, *gate.joint.reasons)]
    return "\n".join(lines) + "\n"


def junit(gate: Gate, *, title: str = "assay gate") -> str:
    """One test case: a failure where it is worse, an error where nothing was shown."""
    passed = gate.passing is Passing.PASSED
    suite = ElementTree.Element(
        "testsuite",
        name=title,
        tests="1",
        failures=str(int(gate.passing is Passing.WORSE)),
        errors=str(int(gate.passing is Passing.NOT_SHOWN)),
    )
    case = ElementTree.SubElement(suite, "testcase", classname=title, name=gate.called.metric)
    if not passed:
        kind = "failure" if gate.passing is Passing.WORSE else "error"
        found = ElementTree.SubElement(case, kind, type=str(gate.verdict), message=_plain(gate.sentence()))
        found.text = _plain("\n".join([gate.sentence(), *gate.comparison.notes]))
    ElementTree.SubElement(case, "system-out").text = _plain(gate.sentence())
    return _xml(suite)


def failed_markdown(message: str, hint: str, *, title: str = "Assay gate") -> str:
    """The comment where nothing could be compared: what failed, and what to do."""
    lines = [f"### {_MARKS[Passing.NOT_SHOWN]} {title}: failed", "", f"Nothing is shown: {_cell(message)}"]
    return "\n".join([*lines, *(["", _cell(hint)] if hint else [])]) + "\n"


def failed_junit(message: str, hint: str, *, title: str = "assay gate") -> str:
    """One test case with an error, where nothing could be compared."""
    suite = ElementTree.Element("testsuite", name=title, tests="1", failures="0", errors="1")
    case = ElementTree.SubElement(suite, "testcase", classname=title, name="gate")
    found = ElementTree.SubElement(case, "error", type="FAILED", message=_plain(message))
    found.text = _plain("\n".join(filter(None, (message, hint))))
    return _xml(suite)


def _xml(suite: ElementTree.Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _interval(gate: Gate) -> str:
    difference = gate.comparison.difference
    return f"{points(difference.value)} ({points(difference.low)} to {points(difference.high)})"


def _change(name: str, change: Change | None, shape: str) -> list[tuple[str, str, str, str]]:
    if change is None:
        return []
    ratio = change.ratio
    told = "" if ratio is None else f"{ratio.value:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"
    return [(name, shape.format(change.incumbent), shape.format(change.candidate), told)]


def _plot(gate: Gate) -> list[str]:
    """The interval against zero and the margin, in characters that every font has."""
    difference, margin = gate.comparison.difference, gate.margins.margin
    reach = max(2 * margin, *(abs(v) for v in (difference.low, difference.high, difference.value) if isfinite(v)))

    def at(value: float) -> int:
        return round((max(-reach, min(reach, value)) + reach) / (2 * reach) * (_BAR - 1))

    cells = [" "] * _BAR
    for place in range(at(difference.low), at(difference.high) + 1):
        cells[place] = "="
    cells[at(0.0)] = "|"
    cells[at(-margin)] = "!"
    cells[at(difference.value)] = "o"
    scale = f"{points(-reach):<{_BAR // 2}}0{points(reach):>{_BAR // 2}}"
    return ["".join(cells).rstrip(), scale, "! margin   | no change   o difference   = interval"]


def _cell(text: str) -> str:
    """Text of others inside a table: no markup, no second line."""
    escaped = "".join(f"\\{char}" if char in "\\`*_{}[]<>()#|!~@" else char for char in _plain(text))
    return escaped.replace("\n", " ")


def _plain(text: str) -> str:
    """What XML can hold."""
    kept = (char if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff") else "\ufffd" for char in text)
    return "".join(kept).encode("utf-8", "replace").decode()
