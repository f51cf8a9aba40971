"""The child process of `isolated.py`: reads requests from standard input, answers in JSON lines, until the input ends.

Run as `python -P -m assay.documents.child MAX_MEMORY_MB`.
"""

import json
import os
import sys
from typing import Any, BinaryIO

from assay.documents.extractors import extract
from assay.errors import Unreadable


def main() -> None:
    """Answer requests until standard input ends."""
    _limit_memory(int(sys.argv[1]))
    requests = sys.stdin.buffer
    # Native code may print; what it prints must not land between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        while line := requests.readline():
            answers.write(json.dumps(_answer(json.loads(line), requests)).encode() + b"\n")
            answers.flush()


def _answer(request: dict[str, Any], requests: BinaryIO) -> dict[str, Any]:
    content = requests.read(request["length"])
    try:
        found = extract(content, request["media_type"], name=request["name"])
    except Unreadable as failure:
        return {"error": failure.message, "hint": failure.hint, "code": failure.slug}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge of this process: one broken document must not end the next
        reason = f"{request['name']} cannot be read: {type(error).__name__}: {error}"
        return {"error": reason, "hint": "Save it again, or convert it to another format.", "code": "damaged"}
    return {
        "text": found.text,
        "media_type": found.media_type,
        "title": found.title,
        "pages": found.pages,
        "headings": [(heading.level, heading.start, heading.title) for heading in found.headings],
        "metadata": dict(found.metadata),
    }


def _limit_memory(megabytes: int) -> None:
    """An allocation past the limit ends this process, not the machine; Windows has no such limit."""
    try:
        import resource
    except ImportError:
        return
    limit = megabytes * 1_048_576
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


if __name__ == "__main__":
    main()
