"""`assay compare` as a user meets it: words, figures, pictures, refusals, speed."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from assay.app.cli.compare import command, print_comparison
from assay.app.cli.main import main
from assay.decisions.compare import Scored, compare
from assay.errors import BadInput

CONTRACT = {
    "verdict",
    "difference",
    "wins",
    "losses",
    "ties",
    "n",
    "clusters",
    "alpha",
    "margin",
    "needed",
    "cost",
    "latency",
}


def rows(seed, n=120, *, better=0.0):
    rng = np.random.default_rng(seed)
    return [
        {
            "case": f"q{i}",
            "score": bool(rng.random() < 0.6 + better),
            "cost_usd": float(rng.uniform(0.001, 0.002)),
            "latency_ms": float(rng.lognormal(6, 0.3)),
        }
        for i in range(n)
    ]


@pytest.fixture
def files(tmp_path):
    def write(name, records):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return str(path)

    return write("a.jsonl", rows(1)), write("b.jsonl", rows(2, better=0.35)), write


def run(*arguments):
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def test_one_of_the_two_may_be_standard_input(files):
    a, b, _ = files
    piped = Path(b).read_bytes()
    done = CliRunner().invoke(command, [a, "-"], input=piped, catch_exceptions=False)
    assert "B  standard input" in done.stdout
    assert done.stdout.replace("standard input", b) == run(a, b).stdout
    with pytest.raises(BadInput, match="Both"):
        run("-", "-")


def test_the_first_line_is_one_plain_sentence(files):
    a, b, _ = files
    lines = run(a, b).stdout.splitlines()
    assert re.match(
        r"B is better than A by \d+\.\d points \(95% interval \d+\.\d to \d+\.\d\), on 120 paired cases\.", lines[0]
    )
    text = "\n".join(lines)
    for part in ("mean score", "cost", "p95 latency", "B better", "tied", "B worse", "Method:"):
        assert part in text


def test_json_is_the_contract(files):
    a, b, _ = files
    result = run(a, b, "--json")
    shape = json.loads(result.stdout)
    assert set(shape) >= CONTRACT
    assert set(shape["difference"]) == {"value", "low", "high", "raw", "method"}
    assert shape["verdict"] == "BETTER"
    assert set(shape["cost"]) >= {"incumbent_usd", "candidate_usd", "ratio"}
    assert set(shape["latency"]) >= {"incumbent_p95_ms", "candidate_p95_ms", "ratio", "difference_ms"}


def test_a_margin_is_said_in_words_and_in_json(files):
    a, b, _ = files
    for pair, margin, says, held in (
        ((a, b), "0.02", "It is shown not to be worse by more than 2 points.", True),
        ((b, a), "0.02", "It is shown to be worse by more than 2 points.", False),
        ((a, a), "0.0001", "That it is not worse by more than 0.01 points is not shown.", False),
    ):
        assert says in run(*pair, "--margin", margin).stdout.splitlines()[0]
        shape = json.loads(run(*pair, "--margin", margin, "--json").stdout)
        assert (shape["margin"], shape["not_worse"]) == (float(margin), held)
    shape = json.loads(run(a, b, "--json").stdout)
    assert (shape["margin"], shape["not_worse"], shape["needed"]) == (None, None, 0)
    assert CliRunner().invoke(command, [a, b, "--margin", "-1"]).exit_code == 2
    with pytest.raises(BadInput, match="margin"):
        run(a, b, "--margin", "nan")


def test_many_candidates_in_every_form(files, tmp_path):
    from xml.etree import ElementTree

    a, b, write = files
    c = write("c <i>.jsonl", rows(3))
    page, picture = tmp_path / "out.html", tmp_path / "out.svg"
    text = run(a, b, c, "--html", str(page), "--svg", str(picture)).stdout
    assert text.startswith("b, the best of 2, is better than a by ")
    for part in ("picked as the best of 2", "c <i>", "won/tied/lost", "p95 latency", "Method: max-T", "both at once"):
        assert part in text
    shape = json.loads(run(a, b, c, "--json").stdout)
    assert (shape["verdict"], shape["best"], shape["n"], shape["clusters"]) == ("BETTER", "b", 120, None)
    assert [arm["name"] for arm in shape["arms"]] == ["b", "c <i>"]
    assert [arm["source"] for arm in shape["arms"]] == [b, c]
    assert all(set(arm) >= CONTRACT | {"p_adjusted"} for arm in shape["arms"])
    parsed = Page(page.read_text())
    assert (parsed.open, parsed.links) == ([], [])
    assert "i" not in parsed.tags
    assert "c &lt;i&gt;" in page.read_text()
    root = ElementTree.fromstring(picture.read_text())
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) == 2


def test_one_file_is_one_arm(files, tmp_path):
    a, b, write = files
    (tmp_path / "link.jsonl").symlink_to(a)
    for third in (a, b, str(tmp_path / "link.jsonl")):
        with pytest.raises(BadInput, match=r"same file|named twice") as caught:
            run(a, b, third)
        assert caught.value.hint
    with pytest.raises(BadInput, match="More than one"):
        run(a, "-", "-")
    (tmp_path / "elsewhere").mkdir()
    other = write("elsewhere/b.jsonl", rows(4))
    names = [arm["name"] for arm in json.loads(run(a, b, other, "--json").stdout)["arms"]]
    assert names == [b, other]


@pytest.mark.parametrize("turn", [1, -1, 0])
def test_exit_code_is_zero_whatever_the_verdict(files, turn, capsys):
    a, b, _ = files
    pair = {1: (a, b), -1: (b, a), 0: (a, a)}[turn]
    with pytest.raises(SystemExit) as exit_:
        main(["compare", *pair, "--json"])
    assert exit_.value.code == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == {1: "BETTER", -1: "WORSE", 0: "UNDECIDED"}[turn]


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        (None, "no file", "path"),
        ("", "no results", "JSON object"),
        ("{\n", "bad.jsonl:1", "JSON object"),
        ('{"case": "q0"}\n', 'no "score"', "rename"),
        ('{"case": "other", "score": 1}\n', "No case of A is in B", "same"),
        ('{"case": "q0", "score": 7}\n{"case": "q1", "score": null}\n', "'q1' in B", "scale"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_bad_input_is_one_line_a_hint_and_exit_code_2(
    files, tmp_path, capsys, monkeypatch, content, says, hint, as_json
):
    a, _, _ = files
    bad = tmp_path / "bad.jsonl"
    if content is not None:
        bad.write_text(content)
    arguments = ["compare", a, str(bad), *(["--json"] if as_json else [])]
    monkeypatch.setattr(sys, "argv", ["assay", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    printed = capsys.readouterr()
    assert exit_.value.code == 2
    assert says in printed.err
    assert hint in printed.err
    assert "Traceback" not in printed.err + printed.out


def test_what_was_odd_is_said_loudly_in_both_forms(files):
    a, _, write = files
    b = write("odd.jsonl", [*rows(2)[:100], rows(2)[0], {"case": "new", "score": None}])
    plain, structured = run(a, b), run(a, b, "--json")
    for note in ("! Not paired: 20 cases only in A, 1 case only in B", "! Repeated in B: 1 case"):
        assert note in plain.stdout
    assert json.loads(structured.stdout)["unpaired"]["incumbent"] == 20
    assert "Not paired" in structured.stderr
    assert "same file" in run(a, a).stdout


def test_alpha_and_direction_are_options(files):
    a, b, _ = files
    assert "99% interval" in run(a, b, "--alpha", "0.01").stdout
    assert run(a, b, "--lower-is-better").stdout.startswith("B is worse")
    for wrong in ("0", "1", "2", "x"):
        assert CliRunner().invoke(command, [a, b, "--alpha", wrong]).exit_code == 2
    with pytest.raises(BadInput, match="alpha"):
        run(a, b, "--alpha", "nan")


class Page(HTMLParser):
    """Every tag and attribute of a page; `closed` counts what was opened and not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "action", "xlink:href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_what_came_from_outside(files, tmp_path):
    _, _, write = files
    nasty = "<script>alert(1)</script>&\"'"
    a = write("a <b>.jsonl", [*rows(1), {"case": nasty, "score": 1}])
    b = write("b.jsonl", rows(2))
    page, picture = tmp_path / "out.html", tmp_path / "out.svg"
    result = run(a, b, "--html", str(page), "--svg", str(picture))
    assert result.exit_code == 0
    text = page.read_text()
    parsed = Page(text)
    assert parsed.open == []
    assert parsed.links == []
    assert "script" not in parsed.tags
    assert "&lt;script&gt;" in text
    assert "a &lt;b&gt;.jsonl" in text
    for part in ("prefers-color-scheme: dark", "width=device-width", "<svg", "UNDECIDED"):
        assert part in text
    assert "url(" not in text
    assert "http" not in text


def test_the_svg_is_well_formed_and_describes_itself(files, tmp_path):
    from xml.etree import ElementTree

    a, b, _ = files
    run(a, b, "--svg", str(tmp_path / "out.svg"))
    root = ElementTree.fromstring((tmp_path / "out.svg").read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root[0].text.startswith("B is better than A")


def test_a_picture_never_replaces_a_result_file_nor_fails_with_a_traceback(files, tmp_path):
    a, b, _ = files
    before = Path(a).read_text()
    for target in (a, str(tmp_path), str(tmp_path / "none" / "out.html")):
        with pytest.raises(BadInput) as caught:
            run(a, b, "--html", target)
        assert caught.value.hint
    assert Path(a).read_text() == before


@pytest.mark.parametrize("width", [30, 60, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_every_terminal_can_show_it(width, encoding, tmp_path):
    comparison = compare(
        [Scored(f"q{i}", 0.5) for i in range(30)] + [Scored("\x1b[31m\ud800é", 1.0)],
        [Scored(f"q{i}", 0.5 + (i % 3) / 10) for i in range(30)],
    )
    with (tmp_path / "out").open("w", encoding=encoding) as file:
        screen = Console(file=file, width=width, color_system=None)
        print_comparison(screen, comparison, incumbent="a-é-\udcff.jsonl", candidate="b.jsonl")
    text = (tmp_path / "out").read_text(encoding=encoding)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert ("●" in text) == (encoding == "utf-8")


def test_no_colour_where_none_is_wanted(files):
    a, b, _ = files
    shown = subprocess.run(
        [sys.executable, "-c", f"from assay.app.cli.main import main; main(['compare', {a!r}, {b!r}])"],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "60"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in shown.stdout


def test_it_loads_no_model_no_database_and_no_settings(files):
    a, b, _ = files
    code = (
        "import sys; from assay.app.cli.main import main\n"
        f"try: main(['compare', {a!r}, {b!r}])\n"
        "except SystemExit: pass\n"
        "names = {name.split('.')[0] for name in sys.modules}\n"
        "heavy = names & {'pydantic', 'sqlalchemy', 'nicegui', 'onnxruntime', 'xllamacpp', 'tantivy', 'aiohttp'}\n"
        "assert not heavy, heavy\n"
        "assert 'scipy.stats' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_hundred_thousand_lines_are_compared_whole(tmp_path):
    rng = np.random.default_rng(1)
    paths = []
    for name in "ab":
        cost, latency = rng.uniform(0.001, 0.002, 100_000), rng.lognormal(6, 0.3, 100_000)
        lines = [
            f'{{"case": "question-{i}", "score": {s}, "cluster": "doc-{i // 10}", '
            f'"cost_usd": {c:.6f}, "latency_ms": {t:.1f}}}'
            for i, (s, c, t) in enumerate(zip(rng.integers(0, 2, 100_000), cost, latency, strict=True))
        ]
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text("\n".join(lines))
    code = f"from assay.app.cli.main import main; main(['compare', {str(paths[0])!r}, {str(paths[1])!r}, '--json'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["n"] == 100_000
