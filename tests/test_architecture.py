"""The house stays as it was laid: arrows point down, modules stay small, the door opens fast."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "assay"
MODULES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(
    path.parent for path in MODULES if path.name == "__init__.py" and "migrations" not in path.relative_to(SOURCE).parts
)
MOST_LINES = 450
HEAVY = {
    *("pydantic", "numpy", "scipy", "sqlalchemy", "alembic", "nicegui", "onnxruntime", "onnx", "tantivy", "kreuzberg"),
    *(
        "aiohttp",
        "opentelemetry",
        "tokenizers",
        "xllamacpp",
        "starlette",
        "fastapi",
        "uvicorn",
        "torch",
        "transformers",
    ),
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def loaded_by(program: str) -> set[str]:
    """Top-level modules a fresh interpreter has loaded after `program`."""
    report = "import json, sys; sys.stdout.write('\\n' + json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    command = [sys.executable, "-c", f"{program}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_arrows_between_rooms_only_point_down() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [script, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 broken" in done.stdout


def test_importing_assay_imports_nothing() -> None:
    new = loaded_by("import assay") - loaded_by("")
    assert new <= {"assay"}, new


def test_help_answers_without_loading_what_it_does_not_need() -> None:
    program = """
from contextlib import suppress
from assay.app.cli.main import main
with suppress(SystemExit):
    main(["--help"])
"""
    assert loaded_by(program) & HEAVY == set()


def test_recording_nothing_costs_no_import() -> None:
    assert loaded_by("from assay.ledger.spans import span") & HEAVY == set()


def test_heavy_rooms_are_imported_only_where_they_are_used() -> None:
    assert loaded_by("import assay.stats, assay.errors, assay.app.cli.main") & (HEAVY - {"numpy", "scipy"}) == set()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module_keeps_the_house_rules(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    relative = path.relative_to(SOURCE)
    assert source.count("\n") <= MOST_LINES, (
        f"{relative} is too long to be read in one go: split it by what it is about"
    )
    if not relative.match("ledger/migrations/env.py"):
        assert ast.get_docstring(tree), f"{relative} does not say what it is for"
    if relative.parts[:2] != ("app", "cli"):
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        assert prints == [], f"{relative} prints"
    banned = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    assert path.stem not in banned, f"{relative} is named for nothing"


@pytest.mark.parametrize("room", ROOMS, ids=named)
def test_every_room_says_what_it_is(room: Path) -> None:
    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))


def test_tests_patch_no_part_of_the_product() -> None:
    offenders = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            if any(module.startswith("unittest.mock") or module.split(".")[0] == "mock" for module in modules):
                offenders.append(f"{named(path)}:{node.lineno}")
    assert offenders == []
