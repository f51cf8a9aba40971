"""`assay`: the command line. Verbs are imported only when they run, so that --help answers at once."""

import importlib
import os
import sys
import threading
from typing import Any

import click

from assay import __version__
from assay.errors import AssayError

# verb -> (one line for --help). The module of a verb is assay.app.cli.<verb> with a `command`.
VERBS: dict[str, str] = {
    "demo": "Index the handbook, answer, score itself and judge one change.",
    "up": "Serve your documents as a cited assistant at a URL.",
    "compare": "Did my change help? Compare two result files of any tool.",
    "ingest": "Read, cut and embed documents into the workspace.",
    "ask": "Ask a question; get a cited answer or a stated refusal.",
    "search": "Find passages: lexical, dense or fused.",
    "bench": "Measure retrieval on a BEIR folder, or the install itself.",
    "models": "List, fetch and test the models in use.",
    "trace": "Draw what one request did, step by step.",
    "config": "Show every setting and where it came from.",
    "init": "Write a commented assay.toml.",
}


LOADING_THREAD = "assay-load"


class _LazyGroup(click.Group):
    """Knows its verbs by name and one line each; imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"assay.app.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

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
    code = _run(arguments)
    if any(thread.name == LOADING_THREAD for thread in threading.enumerate()):
        # Native code is still loading a model: tearing the interpreter down around it aborts the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="assay", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("Interrupted.\n")
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`assay search ... | head`): not our failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AssayError as error:
        return _failed(error)
    except BaseExceptionGroup as group:
        ours = _first_of_ours(group)
        if ours is None:
            raise
        return _failed(ours)
    return result if isinstance(result, int) else 0


def _failed(error: AssayError) -> int:
    from assay.app.failures import exit_code

    wants_json = "--json" in sys.argv
    if wants_json:
        from assay.app.cli.output import emit_json

        emit_json({"error": {"code": error.slug, "message": error.message, "hint": error.hint}})
    sys.stderr.write(f"error: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"hint: {error.hint}\n")
    return exit_code(error)


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
