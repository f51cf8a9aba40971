"""A set of cases is reviewed in the terminal by single keys; over a pipe, by lines that begin with them.

Every key is a decision that is saved before the next case is shown. Invariant: nothing a case or a document holds can
drive the terminal, and the evidence is marked by characters, not by colour alone. Proved by
`tests/unit/app/test_cli_review.py`.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.app.cli.output import harmless, on_one_line
from assay.errors import AssayError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.evals.case import Case, Evidence
    from assay.evals.gold import Corpus
    from assay.evals.review import ReviewItem, ReviewProgress, ReviewQueue

_AROUND_CHARACTERS = 240
_LONGEST_CHARACTERS = 2_000
_KEYS = "a accept   f fix   r reject   s skip   u undo   q quit"
_NOTHING = frozenset(("", " ", "\r", "\n", "\t"))

Read = Callable[[], str]


def review_cases(
    queue: "ReviewQueue",
    *,
    screen: "Console",
    corpus: "Corpus | None" = None,
    read_key: Read | None = None,
    read_line: Read | None = None,
) -> "ReviewProgress":
    """Show case after case until all are decided on, the input ends or `q`; how far the review is then.

    `corpus` is where evidence is shown in its document. `read_key` and `read_line` give what is typed (default: from
    stdin); they raise EOFError at the end.
    """
    desk = _Desk(queue, screen, corpus, read_key or key_typed, read_line or line_typed)
    try:
        while (item := queue.next()) is not None:
            desk.show(item)
            if not desk.decide(item):
                break
    except (EOFError, KeyboardInterrupt):  # all that was decided is saved: stopping is no failure
        pass
    return queue.progress()


def key_typed() -> str:
    """The key pressed, or of a pipe the first character of its next line. Raises EOFError, KeyboardInterrupt."""
    if not sys.stdin.isatty():
        return line_typed().strip()[:1]
    import click

    return click.getchar()


def line_typed() -> str:
    """The next line, without its end. Raises EOFError."""
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


class _Desk:
    def __init__(
        self, queue: "ReviewQueue", screen: "Console", corpus: "Corpus | None", read_key: Read, read_line: Read
    ) -> None:
        self._queue, self._screen, self._corpus = queue, screen, corpus
        self._read_key, self._read_line = read_key, read_line

    def show(self, item: "ReviewItem") -> None:
        """A case with its evidence in its document."""
        progress = self._queue.progress()
        case = item.case
        decided = progress.total - progress.to_review
        self._say()
        self._say(f"{decided} of {progress.total} decided: {progress.accepted} accepted, {progress.fixed} fixed, "
                  f"{progress.rejected} rejected", "dim")  # fmt: skip
        self._say(f"Q  {_shown(case.question)}", "bold")
        if not case.answerable:
            self._say("A  none: the documents do not answer it, and declining is right")
        for answer in case.answers:
            self._say(f"A  {_shown(answer)}")
        for piece in case.evidence:
            self._show_evidence(case, piece)
        if case.tags:
            self._say(on_one_line(", ".join(case.tags)), "dim")
        if item.note:
            self._say(f"note: {_shown(item.note)}", "dim")

    def decide(self, item: "ReviewItem") -> bool:
        """Take keys until one decides; False for quitting."""
        self._say(_KEYS, "dim")
        while True:
            key = self._read_key().lower()
            match key:
                case "q" | "\x1b" | "\x04":
                    return False
                case "\x03":
                    raise KeyboardInterrupt
                case "a":
                    self._queue.decide(item.case.digest, "accepted")
                case "r":
                    self._queue.decide(item.case.digest, "rejected")
                case "s":
                    self._queue.decide(item.case.digest, "skipped")
                case "u":
                    if self._queue.undo() is None:
                        self._say("There is nothing to take back.")
                        continue
                case "f":
                    if not self._fix(item):
                        continue
                case _:
                    if key not in _NOTHING:
                        self._say(_KEYS, "dim")
                    continue
            return True

    def _fix(self, item: "ReviewItem") -> bool:
        """Ask for question and answers anew; False where the case would make no sense, and why is said."""
        case = item.fixed or item.case
        self._say("Question (an empty line keeps it):")
        question = self._read_line().strip() or case.question
        answers = case.answers
        if case.answerable:
            self._say("Answers, with | between alternatives (an empty line keeps them):")
            answers = tuple(part for text in self._read_line().split("|") if (part := text.strip())) or case.answers
        try:
            fixed = replace(case, question=question, answers=answers)
            self._queue.decide(item.case.digest, "fixed", fixed)
        except AssayError as error:
            self._say(f"{error.message} {error.hint}")
            return False
        return True

    def _show_evidence(self, case: "Case", piece: "Evidence") -> None:
        self._say(f"E  {on_one_line(piece.document)}")
        for line in self._in_place(case, piece):
            self._say(f"   {line}")

    def _in_place(self, case: "Case", piece: "Evidence") -> Iterator[str]:
        from assay.evals.gold import resolve

        quote = _shown(piece.quote)
        if self._corpus is None:
            yield f"»{quote}«"
            return
        try:
            gold = resolve(replace(case, evidence=(piece,)), self._corpus, required=True)[0]
            found = self._corpus.find(piece.document)
        except AssayError as error:
            yield f"»{quote}«"
            yield f"! {harmless(error.message)}"
            return
        if gold.start is None or gold.end is None or found is None:
            yield "the whole document"
            return
        text = found[1]
        before = text[max(0, gold.start - _AROUND_CHARACTERS) : gold.start]
        after = text[gold.end : gold.end + _AROUND_CHARACTERS]
        yield _flowing(f"{before}»{_shown(text[gold.start : gold.end])}«{after}")

    def _say(self, text: str = "", style: str = "") -> None:
        from rich.text import Text

        self._screen.print(Text(harmless(text), style=style))


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_CHARACTERS else f"{text[:_LONGEST_CHARACTERS]}…"


def _flowing(text: str) -> str:
    """White space as single spaces: context is read, not copied."""
    return " ".join(text.split())
