"""The embedded chat model: SmolLM2-135M-Instruct on llama.cpp, in this process.

One slot and a queue: on a few cores parallel slots add no throughput, and each keeps a prompt cache of its own.
Requests wait in order, and one that is cancelled while it waits never starts. Cancelling stops generation at the next
token; a prompt that is being read cannot be interrupted, so a window of 2,048 tokens bounds that to a few seconds.

llama.cpp also opens an HTTP server on the loopback interface; a random key nobody knows shuts it. Text in messages can
never become a control token: `<|im_end|>` in a document ends no message.
"""

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from assay.errors import AssayError, BadInput, Corrupt, Interrupted, Refused, TimedOut
from assay.models import requantise, smollm2_tokenizer
from assay.models.chat import ChatRequest, Completion, Delta, Message
from assay.models.pinned import SMOLLM2
from assay.models.smollm2_tokenizer import SmolLM2Tokenizer, plain
from assay.models.translate import Assembly, wire_request
from assay.models.weights import Progress, derived, fetch, verified

WINDOW = 2048

_LONGEST_FREE_SECONDS = 5.0
_SLOW_TO_COUNT_CHARACTERS = 20_000  # over 5 ms: too long for the event loop
_LONGEST_TOKEN_CHARACTERS = 81  # in this model's vocabulary: a run of blanks


class EmbeddedChat:
    """Chats in this process. Make one with `load`; call `aclose` to free about 250 MB."""

    name = SMOLLM2.title
    provider = "embedded"
    digest = f"{requantise.RECIPE}:{SMOLLM2.members[0].sha256[:16]}"

    def __init__(
        self,
        gguf: Path,
        tokenizer: Path,
        *,
        threads: int = 0,
        window: int = WINDOW,
        timeout_seconds: float = 60.0,
    ) -> None:
        """Load files whose sha256 the caller has checked: llama.cpp loads damaged weights without complaint."""
        self.window = window
        self._timeout_seconds = timeout_seconds
        self._tokenizer = SmolLM2Tokenizer(tokenizer)
        self._server: Any = _server(gguf, threads=threads or os.cpu_count() or 1, window=window)
        self._slot = ThreadPoolExecutor(1, thread_name_prefix="llama")
        self._closed = threading.Event()

    @classmethod
    def load(
        cls,
        *,
        threads: int = 0,
        window: int = WINDOW,
        timeout_seconds: float = 60.0,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> "EmbeddedChat":
        """Fetch and requantise what is missing, verify, load. Blocks: 5 s once after the fetch, then under 1 s."""
        folder = fetch(SMOLLM2, cache=cache, progress=progress)
        return cls(
            requantised(folder), tokenizer_file(folder), threads=threads, window=window, timeout_seconds=timeout_seconds
        )

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises `BadInput` where the prompt exceeds the window, `Garbled` where JSON is cut off."""
        completion: Completion | None = None
        async with contextlib.aclosing(self.stream(request)) as deltas:
            async for delta in deltas:
                completion = delta.completion
        assert completion is not None
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces. `timeout_seconds` runs from when the request's turn comes."""
        started = time.perf_counter()
        body = await self._body(request)
        assembly = Assembly(request, model=self.name, started=started)
        run = _Run(self._server, body, closed=self._closed)
        running = asyncio.get_running_loop().run_in_executor(self._slot, run.work)
        running.add_done_callback(lambda _: run.queue.put_nowait(None))  # also when closing cancels it in the queue
        try:
            while (chunk := await self._next(run)) is not None:
                if text := assembly.take(chunk):
                    yield Delta(text)
            yield Delta("", assembly.completion())
        finally:
            run.stop.set()
            running.cancel()

    async def count(self, messages: Sequence[Message]) -> int:
        """Prompt tokens of `messages` by the model's own template and tokenizer."""
        characters = sum(len(message.content) for message in messages)
        if characters > 2 * self.window * _LONGEST_TOKEN_CHARACTERS:
            return -(-characters // _LONGEST_TOKEN_CHARACTERS)  # cannot fit by any count: no need to tokenise megabytes
        if characters > _SLOW_TO_COUNT_CHARACTERS:
            return await asyncio.to_thread(self._tokenizer.count, messages)
        return self._tokenizer.count(messages)

    @property
    def counts_exactly(self) -> bool:
        """True: the model's own tokenizer counts."""
        return True

    async def aclose(self) -> None:
        """Stop generation and free the model. Safe to call twice."""
        self._closed.set()
        await asyncio.to_thread(self._slot.shutdown, cancel_futures=True)
        server, self._server = self._server, None
        # llama.cpp joins its own threads when it is freed; under load that was once seen to hang right after a
        # load, so a closing process does not wait for it for ever.
        freeing = threading.Thread(target=_free, args=([server],), daemon=True)
        del server
        freeing.start()
        await asyncio.to_thread(freeing.join, _LONGEST_FREE_SECONDS)

    async def _body(self, request: ChatRequest) -> dict[str, Any]:
        prompt_tokens = await self.count(request.messages)
        room = self.window - prompt_tokens
        if room < 1:
            raise BadInput(
                f"The prompt has {prompt_tokens:,} tokens; {self.name} has a window of {self.window:,}.",
                hint="Send a shorter prompt.",
            )
        body = wire_request(request, stream=True)
        messages = [{"role": message.role, "content": plain(message.content)} for message in request.messages]
        return body | {"messages": messages, "max_tokens": min(request.max_tokens, room)}

    async def _next(self, run: "_Run") -> Mapping[str, Any] | None:
        """The next chunk; None at the end. Raises what went wrong."""
        chunk = await run.queue.get() if run.began is None else await self._within_time(run)
        if chunk is _BEGAN:
            chunk = await self._within_time(run)
        if chunk is None and self._closed.is_set():
            raise Interrupted(f"{self.name} was closed before it had answered.", hint="Ask again.")
        if isinstance(chunk, BaseException):
            raise _failure(str(chunk)) from chunk
        if chunk is not None and "error" in chunk:
            raise _failure(str((chunk["error"] or {}).get("message", chunk["error"])))
        return chunk

    async def _within_time(self, run: "_Run") -> Any:
        assert run.began is not None
        try:
            return await asyncio.wait_for(run.queue.get(), run.began + self._timeout_seconds - time.perf_counter())
        except TimeoutError:
            raise TimedOut(
                f"{self.name} did not finish within {self._timeout_seconds:g} s.",
                hint="Ask for fewer tokens, or raise models.timeout_seconds.",
            ) from None


def requantised(folder: Path) -> Path:
    """The Q8_0 file in `folder`, made from the shipped Q4_1 when it is missing or damaged."""
    shipped = SMOLLM2.members[0]
    return derived(
        folder,
        "SmolLM2-135M-Instruct.Q8_0.gguf",
        recipe=requantise.RECIPE,
        sources={shipped.name: shipped.sha256},
        make=lambda target: requantise.requantise(verified(folder, shipped), target),
    )


def tokenizer_file(folder: Path) -> Path:
    """The tokenizer in `folder`, made from the shipped file's vocabulary when it is missing or damaged."""
    shipped = SMOLLM2.members[0]
    return derived(
        folder,
        "tokenizer.json",
        recipe=smollm2_tokenizer.RECIPE,
        sources={shipped.name: shipped.sha256},
        make=lambda target: smollm2_tokenizer.build(verified(folder, shipped), target),
    )


def _free(held: list[Any]) -> None:
    """Drop the last reference to the server: its destructor runs on this thread."""
    held.clear()


_BEGAN = object()


class _Run:
    """One request on its way through the slot's thread; chunks arrive in `queue`, on the event loop."""

    def __init__(self, server: Any, body: dict[str, Any], *, closed: threading.Event) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.stop = threading.Event()
        self.began: float | None = None
        self._server, self._body, self._closed = server, body, closed
        self._loop = asyncio.get_running_loop()

    def work(self) -> None:
        """Generate, on the slot's thread."""
        if self._over():
            return
        self.began = time.perf_counter()
        self._tell(_BEGAN)
        try:
            self._server.handle_chat_completions(self._body, self._heard)
        except (ValueError, RuntimeError, TypeError) as error:  # the binding raises these for a body it cannot use
            self._tell(error)
        finally:
            self._tell(None)

    def _heard(self, chunk: Any) -> bool:
        """llama.cpp's callback: True stops generation. It must not raise: the binding would swallow that."""
        return self._over() or not self._tell(chunk)

    def _over(self) -> bool:
        return self.stop.is_set() or self._closed.is_set()

    def _tell(self, item: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(self.queue.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens
            return False
        return True


def _server(gguf: Path, *, threads: int, window: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.api_keys = [secrets.token_urlsafe(32)]
    params.verbosity = -1
    params.n_parallel = 1
    params.n_ctx = window
    params.warmup = False
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 2
    params.cache_ram_mib = 0  # its default keeps up to 8 GB of old prompts
    params.fit_params = False
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0  # between tokens, threads sleep instead of spinning on the embedder's cores
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise Corrupt(f"llama.cpp cannot load {gguf}: {error}", hint="Run `assay models pull`.") from error


def _failure(said: str) -> AssayError:
    if "exceeds the available context size" in said:
        return BadInput(f"The prompt is too long: {said}.", hint="Send a shorter prompt.")
    if "grammar" in said or "schema" in said.lower():
        return BadInput(f"llama.cpp cannot follow this JSON schema: {said}", hint="Use a simpler schema.")
    return Refused(f"llama.cpp refused the request: {said}", hint="Change the request; see the message.")
