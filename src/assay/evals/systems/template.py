"""Any HTTP endpoint that answers in JSON, described in a file: what to send and where the answer stands in the reply.

Invariants: the question is only ever data (JSON escapes it in a body, the URL encoder in a URL); a part of a reply that
is not where the file says fails the question with what is there instead. Proved by
`tests/unit/evals/test_systems_http.py`.
"""

import re
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from yarl import URL

from assay.errors import BadSetting
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.systems import replies
from assay.evals.systems.charge import charging
from assay.evals.systems.environment import Environment
from assay.evals.systems.http import Call, Endpoint, checked_url, server_of
from assay.evals.systems.paths import Path, path_of
from assay.evals.systems.spec import CitationSpec, HttpSpec, PassageSpec, ReplySpec
from assay.evals.systems.subject import subject_of
from assay.evals.systems.turns import Turns

QUESTION = "{question}"


class HttpSystem:
    """The endpoint of an `HttpSpec`. `where` names its file in errors, `environ` holds what `${NAME}` stands for."""

    def __init__(self, spec: HttpSpec, *, where: str, environ: Mapping[str, str]) -> None:
        environment = Environment(environ, where=where)
        self._url = environment.filled(spec.url, needed_by="url")
        checked_url(self._url.replace(QUESTION, "question"), where=where)
        self._headers = environment.filled(spec.headers, needed_by="headers")
        self._query = environment.filled(spec.query, needed_by="query")
        self._body = environment.filled(spec.body, needed_by="body")
        if not any(_asks(part) for part in (self._url, self._query, self._body)):
            raise BadSetting(
                f"{where} sends the question nowhere.",
                hint=f'Write {QUESTION} into body, as in body = {{ q = "{QUESTION}" }}.',
            )
        self._reader = ReplyReader(spec.reply, where=where, only_passages=spec.returns == "passages")
        self._endpoint = Endpoint(
            timeout_seconds=spec.timeout_seconds,
            max_retries=spec.max_retries,
            largest_reply_mb=spec.largest_reply_mb,
            secrets=environment.secrets,
        )
        self._method = spec.method
        self._turns = Turns(spec.concurrency)
        self._cost_usd = spec.cost_usd_per_question
        self._who = spec.name or server_of(self._asked("question").url)
        self.name = self._who
        self.kind: Literal["answerer", "retriever"] = "retriever" if self._reader.only_passages else "answerer"
        self.expected_calls = (1.0, 1.0)
        self.expected_cost_usd = None if self._cost_usd is None else (self._cost_usd, self._cost_usd)
        self.spec = spec.model_dump(mode="json", exclude_defaults=True) | {"kind": "http"}
        self.identity = subject_of({"http": self.spec})
        self.subject = self.identity if spec.version else None

    @property
    def url(self) -> URL:
        """Where it is asked, for a question like any other."""
        return self._asked("question").url

    async def __call__(self, question: str) -> Output:
        """One output. Raises Upstream errors."""
        async with self._turns:
            started = time.perf_counter()
            with charging(self._cost_usd) as charged:
                reply = await self._endpoint.json(self._asked(question))
                elapsed_ms = (time.perf_counter() - started) * 1000
                output = self._reader.output(reply, who=self._who)
                if output.cost_usd is not None:
                    charged.cost_usd = output.cost_usd
        return replace(output, cost_usd=charged.cost_usd, latency_ms=output.latency_ms or elapsed_ms, calls=1)

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._endpoint.aclose()

    def _asked(self, question: str) -> Call:
        url = URL(self._url.replace(QUESTION, urllib.parse.quote(question, safe="")), encoded=QUESTION in self._url)
        if self._query:
            url = url.update_query({key: _with(value, question) for key, value in self._query.items()})
        return Call(self._method, url, self._headers, _with(self._body, question))


class ReplyReader:
    """Reads an output from a reply by the paths of a `ReplySpec`."""

    def __init__(self, spec: ReplySpec, *, where: str, only_passages: bool) -> None:
        self.only_passages = only_passages or bool(spec.passages and not spec.text)
        if not spec.text and not spec.passages:
            raise BadSetting(
                f"{where} does not say where the answer stands in the reply.",
                hint='Write a table [system.reply] with text = "answer", or passages = "sources" for a retriever.',
            )
        if only_passages and not spec.passages:
            raise BadSetting(f"{where} returns passages and does not say where.", hint="Set reply.passages.")
        self._paths = {
            name: path_of(text, key=f"reply.{name}")
            for name in ("text", "confidence", "declined", "cost_usd", "latency_ms", "usage", "trace_id")
            if (text := getattr(spec, name))
        }
        self._passages = _list_paths(spec.passages, key="reply.passages")
        self._citations = _list_paths(spec.citations, key="reply.citations")
        try:
            self._refusal = re.compile(spec.declined_pattern) if spec.declined_pattern else None
        except re.error as error:
            raise BadSetting(
                f"{where}: reply.declined_pattern is no regular expression: {error}.", hint="Correct the pattern."
            ) from None

    def output(self, reply: Any, *, who: str) -> Output:
        """The output in `reply`; cost and latency stay None and 0 where it does not say. Raises Garbled."""
        found = {name: path(reply, who=who) for name, path in self._paths.items()}
        declined = replies.flag_of(found.get("declined") or False, who=who, place="reply.declined")
        text = ""
        if "text" in self._paths and not (found["text"] is None and (declined or self._paths["text"].optional)):
            text = replies.text_of(found["text"], who=who, place=f"the reply's {self._paths['text'].text}")
        confidence, cost = found.get("confidence"), found.get("cost_usd")
        return Output(
            text=text,
            declined=declined or bool(self._refusal and self._refusal.search(text)),
            citations=self._cited(reply, who=who),
            passages=self._retrieved(reply, who=who),
            confidence=None
            if confidence is None
            else replies.number_of(confidence, who=who, place="reply.confidence", least=0, most=1),
            usage=replies.usage_of(found.get("usage"), who=who),
            cost_usd=None if cost is None else replies.number_of(cost, who=who, place="reply.cost_usd", least=0),
            latency_ms=replies.number_of(found.get("latency_ms") or 0.0, who=who, place="reply.latency_ms", least=0),
            trace_id=replies.name_of(found.get("trace_id"), who=who, place="reply.trace_id"),
        )

    def _retrieved(self, reply: Any, *, who: str) -> tuple[Retrieved, ...]:
        items, at = _items(self._passages, reply, who=who)
        return replies.passages_of(items, who=who, at=at)

    def _cited(self, reply: Any, *, who: str) -> tuple[Cited, ...]:
        items, at = _items(self._citations, reply, who=who)
        return replies.citations_of(items, who=who, at=at)


def _list_paths(spec: PassageSpec | CitationSpec | str, *, key: str) -> dict[str, Path]:
    if not spec:
        return {}
    parts = {"at": spec} if isinstance(spec, str) else spec.model_dump()
    return {name: path_of(text, key=f"{key}.{name}" if name != "at" else key) for name, text in parts.items() if text}


def _items(paths: Mapping[str, Path], reply: Any, *, who: str) -> tuple[Any, str]:
    """The list at `paths["at"]`, its items renamed by the other paths, and how messages call it."""
    if not paths:
        return (), ""
    items, at = paths["at"](reply, who=who), paths["at"].text
    parts = {name: path for name, path in paths.items() if name != "at"}
    if items is None or not parts or not isinstance(items, list):
        return items or (), at
    renamed = []
    for number, item in enumerate(items):
        found = {name: path(item, who=who, inside=f"{at}[{number}].") for name, path in parts.items()}
        rest = replies.as_mapping(item) or {}
        renamed.append({**rest, **found})
    return renamed, at


def _asks(part: Any) -> bool:
    if isinstance(part, str):
        return QUESTION in part
    if isinstance(part, Mapping):
        return any(_asks(value) for value in part.values())
    return isinstance(part, list) and any(_asks(value) for value in part)


def _with(part: Any, question: str) -> Any:
    if isinstance(part, str):
        return part.replace(QUESTION, question)
    if isinstance(part, Mapping):
        return {key: _with(value, question) for key, value in part.items()}
    return [_with(value, question) for value in part] if isinstance(part, list) else part
