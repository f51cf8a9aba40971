"""`assay cases`: import test cases, look at them, compare versions."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.casework import audit_command, generate_command, review_command
from assay.app.cli.options import json_option, set_option
from assay.app.cli.runs import iso, with_measuring
from assay.app.cli.split import budget_command, open_command, split_command
from assay.decisions.figures import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assay.app.measuring import Measuring
    from assay.app.wiring import Workspace
    from assay.evals.case import Case
    from assay.index.ingest import IngestReport

_SHOWN = 10


@click.group("cases")
def command() -> None:
    """Test cases: import, generate, review, audit, split."""


@command.group("import", short_help="Import a SQuAD, BEIR, JSONL or CSV set.")
def import_group() -> None:
    """Import a set of cases; squad and beir bring their documents along."""


_name_option = click.option("--name", metavar="NAME", help="What to call the set; default: after the file.")
_documents_option = click.option("--no-documents", is_flag=True, help="Leave the set's documents out of the workspace.")
_field_option = click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Where a field of ours stands, e.g. question=prompt.",
)


@import_group.command("squad")
@click.argument("path", type=click.Path(path_type=Path))
@_name_option
@_documents_option
@set_option
@json_option
def squad_command(path: Path, name: str | None, no_documents: bool, assignments: tuple[str, ...], as_json: bool) -> int:
    """A file in SQuAD's format (1.1, 2.0, XQuAD): each paragraph is a document, answers are evidence."""
    from assay.evals.datasets.squad import read_squad

    return _import_dataset(read_squad(path), path, name, not no_documents, assignments, as_json=as_json)


@import_group.command("beir")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--split", help="test, dev or train; default: the first there is.")
@_name_option
@_documents_option
@set_option
@json_option
def beir_command(
    folder: Path, split: str | None, name: str | None, no_documents: bool, assignments: tuple[str, ...], as_json: bool
) -> int:
    """A folder in the BEIR layout: judged documents are evidence as a whole."""
    from assay.evals.datasets.beir import read_beir

    return _import_dataset(read_beir(folder, split=split), folder, name, not no_documents, assignments, as_json=as_json)


@import_group.command("jsonl")
@click.argument("path", type=click.Path(path_type=Path))
@_name_option
@_field_option
@json_option
def jsonl_command(path: Path, name: str | None, fields: tuple[str, ...], as_json: bool) -> None:
    """A JSONL file: {"id", "question"[, "answers", "evidence", "answerable", "tags", "cluster"]} on each line."""
    from assay.evals.datasets.mapped import read_mapped

    if fields:
        unused: list[str] = []
        mapping = _mapping(fields)
        _keep(
            name or path.stem,
            lambda opened: read_mapped(path, mapping, unused=unused, corpus=opened.corpus()),
            path.name,
            unused=unused,
            as_json=as_json,
        )
    else:
        _keep(name or path.stem, lambda opened: opened.read(path), path.name, as_json=as_json)


@import_group.command("csv")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--delimiter", help="Default: comma, semicolon or tab, whichever the header has most of.")
@_name_option
@_field_option
@json_option
def csv_command(path: Path, delimiter: str | None, name: str | None, fields: tuple[str, ...], as_json: bool) -> None:
    """A CSV file with a header; several answers of one cell stand between bars: Paris|the city of Paris."""
    from assay.evals.datasets.mapped import read_csv

    unused: list[str] = []
    mapping = _mapping(fields) or None
    _keep(
        name or path.stem,
        lambda opened: read_csv(path, mapping, delimiter=delimiter, unused=unused, corpus=opened.corpus()),
        path.name,
        unused=unused,
        as_json=as_json,
    )


@command.command("list", short_help="The sets of this workspace.")
@click.option("--versions", metavar="NAME", help="Every version of one set.")
@json_option
def list_command(versions: str | None, as_json: bool) -> None:
    """The named sets of this workspace, or every version of one."""
    sets = with_measuring((), lambda opened: opened.cases.versions(versions) if versions else opened.cases.names())
    if as_json:
        rows = [
            {"name": s.name, "digest": s.digest, "cases": s.size, "created": iso(s.created_ns), "origin": s.origin}
            for s in sets
        ]
        output.emit_json({"sets": rows})
        return
    if not sets:
        output.note("No sets yet. assay cases import brings one in.")
        return
    table: list[tuple[str, ...]] = [("set", "cases", "digest", "when", "from")]
    for found in sets:
        when = iso(found.created_ns)[:16].replace("T", " ")
        name, origin = output.on_one_line(found.name), output.on_one_line(found.origin)
        table.append((name, f"{found.size:,}", found.digest[:12], when, origin[:40]))
    output.print_columns(table, right=(1,))


@command.command("show", short_help="Cases of a set.")
@click.argument("name")
@click.argument("case_ids", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True, help="At most so many.")
@json_option
def show_command(name: str, case_ids: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Cases of a set: the named ones, or the first."""
    from assay.errors import NotFound

    cases = with_measuring((), lambda opened: opened.cases.load(name))
    if case_ids:
        by_id = {case.id: case for case in cases}
        missing = [case_id for case_id in case_ids if case_id not in by_id]
        if missing:
            raise NotFound(f"{name} has no case {missing[0]!r}.", hint=f"See them with: assay cases show {name}")
        cases = [by_id[case_id] for case_id in case_ids]
    total, cases = len(cases), cases[: len(case_ids) or limit]
    if as_json:
        output.emit_json({"total": total, "cases": [case.as_json() for case in cases]})
        return
    for case in cases:
        _print_case(case)
    if total > len(cases):
        output.note(f"{total - len(cases):,} more (--limit).")


@command.command("export", short_help="Write a set as JSONL.")
@click.argument("name")
def export_command(name: str) -> None:
    """Write a set as JSONL on stdout, in the format that `cases import jsonl` reads."""

    def work(opened: "Measuring") -> None:
        for case in opened.cases.load(name):
            sys.stdout.write(json.dumps(case.as_json(), ensure_ascii=False) + "\n")

    with_measuring((), work)


@command.command("diff", short_help="What changed between two versions.")
@click.argument("before")
@click.argument("after")
@json_option
def diff_command(before: str, after: str, as_json: bool) -> None:
    """What changed from one set or version (name or digest) to another."""
    found = with_measuring((), lambda opened: opened.cases.diff(before, after))
    shape: dict[str, Any] = {
        "added": [case.id for case in found.added],
        "removed": [case.id for case in found.removed],
        "changed": [after.id for _before, after in found.changed],
        "unchanged": found.unchanged,
    }
    if as_json:
        output.emit_json(shape)
        return
    screen = output.console()
    for kind in ("added", "removed", "changed"):
        names = [output.on_one_line(name) for name in shape[kind]]
        screen.print(
            f"{kind:<10} {len(names):>6,}  {' '.join(names[:8])}{' ...' if len(names) > 8 else ''}", markup=False
        )
    screen.print(f"unchanged  {found.unchanged:>6,}")


def _import_dataset(
    dataset: Any, path: Path, name: str | None, with_documents: bool, assignments: tuple[str, ...], *, as_json: bool
) -> int:
    from assay.app.cli.ingest import print_report
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import IngestBar, watching_models, with_workspace
    from assay.app.measuring import measuring

    async def work(workspace: "Workspace") -> "tuple[str, IngestReport | None]":
        async with measuring(workspace) as opened:
            report = None
            if with_documents:
                await watching_models(workspace, workspace.embedder())
                with IngestBar() as bar:
                    report = await workspace.ingest_documents(
                        dataset.documents(), collection=dataset.name, progress=bar
                    )
            # The cases come last: a set that is there has its documents.
            return opened.cases.save(name or dataset.name, dataset.cases, path.name), report

    digest, report = with_workspace(settings_from(assignments), work)
    shape = {"set": name or dataset.name, "digest": digest, "cases": len(dataset.cases)}
    if as_json:
        output.emit_json({**shape, "ingest": report.as_json() if report else None})
    else:
        if report is not None:
            print_report(report)
        _say_kept(shape)
    return 1 if report is not None and report.failed else 0


def _keep(
    name: str,
    read: "Callable[[Measuring], list[Case]]",
    origin: str,
    *,
    unused: "Sequence[str]" = (),
    as_json: bool,
) -> None:
    def work(opened: "Measuring") -> dict[str, Any]:
        cases = read(opened)
        return {
            "set": name,
            "digest": opened.cases.save(name, cases, origin),
            "cases": len(cases),
            "answers": sum(bool(case.answers) for case in cases),
            "left_out": list(unused),
            "absent_documents": opened.absent_documents(cases),
        }

    shape = with_measuring((), work)
    if as_json:
        output.emit_json(shape)
        return
    _say_kept(shape)
    if unused:
        example = f"--field answers={shlex.quote(unused[0])}"
        output.note(f"! Left out, because no field of ours is called so: {_some(unused)}. To use one: {example}")
    if not shape["answers"]:
        output.note("! No case has a reference answer, so no answer can be compared with one.")
    if absent := shape["absent_documents"]:
        output.note(
            f"! Evidence names {counted(len(absent), 'document')} that this workspace does not hold: {_some(absent)}. "
            "Nothing found here can be that evidence; ingest what is missing, or correct the names."
        )


def _some(names: "Sequence[str]") -> str:
    shown = ", ".join(map(output.on_one_line, names[:5]))
    return shown + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _say_kept(shape: dict[str, Any]) -> None:
    name = output.on_one_line(shape["set"])
    output.console().print(
        f"{counted(shape['cases'], 'case')} in {name} ({shape['digest'][:12]}). Measure on "
        f"{'it' if shape['cases'] == 1 else 'them'}: assay eval --cases {shlex.quote(name)}",
        markup=False,
    )


def _mapping(fields: tuple[str, ...]) -> dict[str, str]:
    from assay.errors import BadInput

    mapping = {}
    for text in fields:
        ours, equals, theirs = text.partition("=")
        if not equals or not ours or not theirs:
            raise BadInput(f"--field takes OURS=THEIRS, not {text!r}.", hint="For example: --field question=prompt")
        mapping[ours] = theirs
    return mapping


def _print_case(case: "Case") -> None:
    screen = output.console()
    marks = [*([] if case.answerable else ["unanswerable"]), *case.tags, *([case.cluster] if case.cluster else [])]
    screen.print(output.on_one_line(case.id), style="bold", markup=False, end="  ")
    screen.print("  ".join(map(output.on_one_line, marks)), style="dim", markup=False)
    screen.print(f"  {output.on_one_line(case.question)}", markup=False)
    for answer in case.answers[:3]:
        screen.print(f"  = {output.on_one_line(answer)}", markup=False)
    for piece in case.evidence[:3]:
        quote = " ".join(piece.quote.split())[:120] or "the whole document"
        screen.print(
            f"  > {output.on_one_line(piece.document)}: {output.on_one_line(quote)}", style="dim", markup=False
        )


command.add_command(generate_command)
command.add_command(review_command)
command.add_command(audit_command)
command.add_command(split_command)
command.add_command(budget_command)
command.add_command(open_command)
