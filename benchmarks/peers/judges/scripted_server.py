"""A chat-completions server on the loopback that answers from a script, so that peers run their whole real stack.

Standard library only: each peer's environment runs it as it is. `requests` counts what the peer paid for.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Choice = dict[str, Any]
Script = Callable[[dict[str, Any]], list[Choice]]


def choice(content: str | None, logprobs: list[dict[str, Any]] | None = None) -> Choice:
    """One choice of a completion, on the OpenAI wire; `logprobs` are the generated tokens in order."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "finish_reason": "stop",
        "message": message,
        "logprobs": None if logprobs is None else {"content": logprobs},
    }


class ScriptedServer:
    """Answers POST /v1/chat/completions with what `script` returns for the request."""

    def __init__(self) -> None:
        self.script: Script = lambda _request: []
        self.requests = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._answer(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def load(self, script: Script) -> None:
        """Start the next scenario."""
        self.script, self.requests = script, 0

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.requests += 1
        choices = [{"index": i, **one} for i, one in enumerate(self.script(request))]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {"id": "scripted", "object": "chat.completion", "created": 0, "model": request["model"]}
        payload = json.dumps({**body, "choices": choices, "usage": usage}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def __enter__(self) -> "ScriptedServer":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
