"""Readers of intricate formats run in a process of their own, under a limit of time and memory.

A PDF can make its parser loop, eat memory or crash. Here that ends one child process and one document, and
the next document gets a new child. The child answers in JSON: nothing it sends is executed. One child
serves many documents, since starting one takes longer than reading most. Proved by `tests/story/test_bad_documents.py`.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from assay.documents.document import Heading
from assay.documents.extract import Extract
from assay.errors import Unreadable


class Isolated:
    """Extracts text in a child process, one file at a time; safe to share between threads."""

    def __init__(self, *, max_seconds: float, max_memory_mb: int = 4096) -> None:
        self._max_seconds = max_seconds
        self._max_memory_mb = max_memory_mb
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is at. Safe to call twice; a later extract starts a new one."""
        child = self._child
        if child is not None:
            child.kill()  # before the lock: a thread may hold it, waiting for this child
        with self._lock:
            self._end()

    def extract(self, content: bytes, media_type: str, *, name: str) -> Extract:
        """The text of a file's bytes. Raises Unreadable: the reader's own, `timeout`, or `damaged` after a crash."""
        with self._lock:
            answer = self._ask(content, media_type, name)
        if "error" in answer:
            raise Unreadable(answer["error"], hint=answer["hint"], code=answer["code"])
        return Extract(
            text=answer["text"],
            media_type=answer["media_type"],
            title=answer["title"],
            pages=tuple((start, end) for start, end in answer["pages"]),
            headings=tuple(Heading(level, start, title) for level, start, title in answer["headings"]),
            metadata=answer["metadata"],
        )

    def _ask(self, content: bytes, media_type: str, name: str) -> dict[str, Any]:
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        expired = threading.Event()

        def stop() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(self._max_seconds, stop)
        timer.start()
        line = b""
        try:
            request = {"media_type": media_type, "name": name, "length": len(content)}
            child.stdin.write(json.dumps(request).encode() + b"\n" + content)
            child.stdin.flush()
            line = child.stdout.readline()
        except OSError:
            pass  # the child is gone; an empty answer says so below
        except BaseException:  # interrupted: what the child would still answer belongs to nobody
            self._end()
            raise
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._end()
        if expired.is_set():
            raise Unreadable(
                f"{name} took longer than {self._max_seconds:g} s to read",
                hint="Split or simplify the file, or raise documents.max_seconds.",
                code="timeout",
            )
        raise Unreadable(
            f"{name} is damaged: its reader crashed or ran out of memory on it",
            hint="Open it in its own program and save it again.",
            code="damaged",
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            # -P keeps the current folder off the import path: it may hold a user's json.py.
            command = [sys.executable, "-P", "-m", "assay.documents.child", str(self._max_memory_mb)]
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):  # closing flushes what a dead child will not take
                    pipe.close()
        child.wait()
