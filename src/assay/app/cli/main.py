"""`assay`: the command line. Verbs are imported only when they run, so that --help answers at once.

Invariant: however a command ends, the exit code says how (see `assay.app.failures`), and with --json stdout
holds exactly one object. Proved by `tests/unit/app/test_cli.py`.
"""

import errno
import importlib
import io
import os
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any

import click

from assay import __version__
from assay.errors import AssayError, BadInput, Conflict, Corrupt, Interrupted

# What the machine refuses: full or broken disks, missing rights. Any other OSError is a bug of ours.
_NOT_OURS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG, errno.EISDIR}
)

# verb -> (one line for --help). The module of a verb is assay.app.cli.<verb> with a `command`.
VERBS: dict[str, str] = {
    "demo": "Index the handbook, answer, score itself and judge one change.",
    "up": "Serve your documents as a cited assistant at a URL.",
    "eval": "Score a system on cases, with error bars and a bill known beforehand.",
    "cases": "Import, generate, review and audit test cases.",
    "runs": "What was measured; show a run, compare two.",
    "judge": "Check a judge against people's labels.",
    "prompts": "Prompts by name and version, and what changed.",
    "try": "Is a change better than what serves? Stops as soon as it is known.",
    "race": "The best of many designs for a tenth of the calls, then confirmed.",
    "races": "What was raced: who won, who is out and why.",
    "gate": "Stop a build that makes answers worse than a margin.",
    "label": "Label the answers that tell the most about a decision.",
    "decisions": "What was decided and on what evidence; check one again.",
    "compare": "Did my change help? Compare result files of any tool.",
    "promote": "Serve what a verdict supports; without one, say why.",
    "rollback": "Serve again what served before.",
    "releases": "What serves, what served, and the verdict behind it.",
    "ingest": "Read, cut and embed documents into the workspace.",
    "ask": "Ask a question; get a cited answer or a stated refusal.",
    "search": "Find passages: lexical, dense or fused.",
    "bench": "Measure retrieval on a BEIR folder, or the install itself.",
    "models": "List, fetch and test the models in use.",
    "trace": "Draw what one request did, step by step.",
    "config": "Show every setting and where it came from.",
    "init": "Write a commented assay.toml.",
}

_MODULES = {"try": "try_"}  # a word of Python cannot name a module

LOADING_THREAD = "assay-load"


class _LazyGroup(click.Group):
    """Knows its verbs by name and one line each; imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"assay.app.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Without its number click does not take it for its own to handle, which would be to exit with 1.
            raise BrokenPipeError from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="assay")
def cli() -> None:
    """Documents in, cited answers out, measured with honest error bars.

    Start with `assay demo`, or `assay up PATH` for your own documents.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 finished with failures, 2 fixable, 3 upstream,
    4 limit reached, 5 corrupt, 130 interrupted."""
    _make_streams_safe()
    arguments = sys.argv[1:] if arguments is None else arguments
    code = _run(arguments)
    if any(thread.name == LOADING_THREAD for thread in threading.enumerate()):
        # Native code is still loading a model: tearing the interpreter down around it aborts the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="assay", standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here, where it can still be said
    except SystemExit:
        raise
    except BrokenPipeError:
        # The reader of our output went away (`assay search ... | head`): not our failure.
        _let_go_of_stdout()
        return 0
    except BaseException as error:  # noqa: BLE001  the outermost edge: whatever it is, say it and exit honestly
        code = _ended(error, as_json="--json" in arguments)
        _let_go_of_stdout()
        return code if code == 0 else _exit_code_of(arguments, code)
    return result if isinstance(result, int) else 0


def _exit_code_of(arguments: list[str], code: int) -> int:
    from assay.app.failures import exit_code_of

    return exit_code_of(arguments, code)


def _ended(error: BaseException, *, as_json: bool) -> int:
    """Say on stderr, and with --json on stdout, why a command ended early; the exit code for it."""
    from assay.app.cli.output import emit_json, note
    from assay.app.failures import exit_code

    if isinstance(error, BaseExceptionGroup):
        error = _first_of_ours(error) or error
    ours = _as_ours(error)
    if as_json:
        with suppress(OSError):  # stdout may be what failed
            emit_json({"error": {"code": ours.slug, "message": ours.message, "hint": ours.hint}})
    if isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, (click.Abort, KeyboardInterrupt)):
        note(ours.message)
    else:
        if ours.slug == "internal":
            traceback.print_exception(error)
        note(f"error: {ours.message}" + (f"\nhint: {ours.hint}" if ours.hint else ""))
    return exit_code(ours)


def _as_ours(error: BaseException) -> AssayError:
    if isinstance(error, AssayError):
        return error
    if isinstance(error, click.ClickException):
        return BadInput(error.format_message(), hint="Run the command with --help.", code="usage")
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Interrupted("Interrupted.")
    if isinstance(error, OSError) and error.errno in _NOT_OURS:
        place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "The output"
        return Conflict(
            f"{place} cannot be written or read: {error.strerror}.",
            hint="Check its permissions and the free space on its disk.",
            code="disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "not_writable",
        )
    return Corrupt("Something went wrong inside Assay.", hint="Please report it with the lines above.", code="internal")


def _let_go_of_stdout() -> None:
    """Drop what stdout can no longer take, or the interpreter trips over it when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _make_streams_safe() -> None:
    """Printing must not fail: what stdout's encoding lacks becomes a question mark, a closed stream swallows."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  open as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> AssayError | None:
    for error in group.exceptions:
        if isinstance(error, AssayError):
            return error
        if isinstance(error, BaseExceptionGroup):
            found = _first_of_ours(error)
            if found is not None:
                return found
    return None


if __name__ == "__main__":
    main()
