"""A user makes cases from documents, reviews them by keyboard, looks at versions, and audits the set."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ASSAY = Path(sys.executable).parent / "assay"

TEXT = """# Harbours

The harbour of Arden was dug in 1621 by order of Queen Matilda. It holds forty ships at high tide. The lighthouse of
Arden is thirty metres high and was built of red brick in 1688.

# Bridges

The bridge of Marlow was opened in 1832. It was designed by William Clark, an engineer from Bristol. The toll was two
copper coins until 1871, when the county bought the bridge for nine thousand pounds.

# Mills

The mill of Lund ground rye for the whole valley. Its wheel has a diameter of six metres. The last miller, Anna Berg,
stopped the wheel in 1954 after a flood.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one ingested document."""
    folder = tmp_path_factory.mktemp("casework")
    (folder / "guide.md").write_text(TEXT, encoding="utf-8")
    assert run(folder, "ingest", "guide.md").returncode == 0
    return folder


def run(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "ASSAY_HOME": str(folder / ".assay")}
    return subprocess.run(
        [str(ASSAY), *arguments], cwd=folder, env=environment, input=typed, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def assay(folder: Path, *arguments: str) -> Any:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cases_are_made_reviewed_and_measured_on(folder: Path) -> None:
    made = assay(folder, "cases", "generate", "-n", "4", "--by-rule", "--name", "ours", "--json")
    assert made["cases"] >= 2
    text = (folder / "guide.md").read_text(encoding="utf-8")
    cases = assay(folder, "cases", "show", "ours", "--json")["cases"]
    for case in cases:
        assert all(piece["quote"] in text for piece in case.get("evidence", []))
    reviewed = run(folder, "cases", "review", "ours", "--as", "kept", typed="r\n" + "a\n" * made["cases"])
    assert reviewed.returncode == 0, reviewed.stderr
    assert f"{made['cases'] - 1} of {made['cases']} cases kept" in reviewed.stderr
    kept = assay(folder, "cases", "show", "kept", "--json")
    assert kept["total"] == made["cases"] - 1
    assert all("reviewed" in case["tags"] for case in kept["cases"])
    assert len(assay(folder, "cases", "diff", "ours", "kept", "--json")["removed"]) == 1
    measured = assay(folder, "eval", "--cases", "kept", "--json")
    assert measured["cases"] == kept["total"]


def test_an_audit_needs_configurations(folder: Path) -> None:
    done = run(folder, "cases", "audit", "kept", "kept")
    assert done.returncode == 2
    assert "needs 4" in done.stderr


def test_generation_without_documents_says_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path, "cases", "generate", "-n", "2")
    assert done.returncode == 2
    assert "Ingest some first" in done.stderr
