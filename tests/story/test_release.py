"""The live release switched under load: no request fails, every answer is whole, and the new settings are in it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from assay.app.released import served_by
from assay.app.settings import load_settings
from assay.app.wiring import open_workspace_database
from assay.decisions.releases import Draft, Releases

QUESTION = "When does the ferry to Halden leave?"
CLIENTS = 4
PAUSE_SECONDS = 0.1  # of a client between two requests: the machine has other things to do in this test


def run_assay(folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "assay.app.cli.main", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@dataclass
class Seen:
    """What clients got: how many passages answers were made from, and everything that is not a whole answer."""

    passages: Counter[int] = field(default_factory=Counter)
    streamed: Counter[int] = field(default_factory=Counter)
    alive: int = 0
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "assay.app.cli.main", "up", "docs", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "ASSAY_MODELS_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr.txt").open("w"),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0, (folder / "stderr.txt").read_text()


async def asked(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    body = {"model": "assay", "messages": [{"role": "user", "content": QUESTION}]}
    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
        reply = await response.json()
    assert response.status == 200, reply
    text = reply["choices"][0]["message"]["content"]
    assert "ferry to Halden" in text
    seen.passages[len(reply["assay"]["hits"])] += 1


async def streamed(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    body = {"model": "assay", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
        assert response.status == 200
        lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""], lines
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == chunks[-1]["assay"]["text"]
    seen.streamed[len(chunks[-1]["assay"]["hits"])] += 1


async def healthy(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    async with session.get(f"{url}/healthz") as response:
        assert response.status == 200
        assert (await response.json())["status"] == "ok"
    seen.alive += 1


async def hammer(url: str, seen: Seen, stop: asyncio.Event, number: int) -> None:
    acts = (asked, streamed, healthy, asked)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        while not stop.is_set():
            try:
                await acts[number % len(acts)](session, url, seen)
            except Exception as error:
                seen.failures.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_SECONDS)


async def live_release(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(f"{url}/healthz") as response:
        return (await response.json())["release"] or {}


async def until_served(session: aiohttp.ClientSession, url: str, release_id: str) -> None:
    deadline = time.monotonic() + 20
    while (await live_release(session, url)).get("id") != release_id:
        assert time.monotonic() < deadline, "the server does not follow"
        await asyncio.sleep(0.05)


async def until_ready(session: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            async with session.get(f"{url}/api/status") as response:
                if (await response.json())["ingestion"]["state"] == "finished":
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("it did not get ready in time")


async def test_promoting_and_rolling_back_under_load_fails_no_request(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(6):
        (tmp_path / "docs" / f"{number}.md").write_text(f"The ferry to Halden leaves harbour {number} at seven.")

    async def assay(*arguments: str) -> Any:
        return await asyncio.to_thread(run_assay, tmp_path, *arguments)

    seen, stop = Seen(), asyncio.Event()
    async with up(tmp_path) as url, aiohttp.ClientSession() as session:
        await until_ready(session, url)
        clients = [asyncio.create_task(hammer(url, seen, stop, number)) for number in range(CLIENTS)]
        try:
            assert await live_release(session, url) == {}
            first = await assay("promote", "--set", "index.k=1", "--because", "fewer passages")
            await until_served(session, url, first["release"]["id"])
            # Other models: a whole set of them is loaded beside the one that serves, and freed after it.
            flags = {"index.k": 3, "models.chat": "none"}
            changed = load_settings(folder=tmp_path, environ={}, flags=flags)
            releases = Releases(open_workspace_database(tmp_path / ".assay"))
            second = releases.promote(Draft(served_by(changed), "no model"))
            assert second is not None
            await until_served(session, url, second.id)
            for named in (None, None, second.id, first["release"]["id"], second.id):
                back, _ = releases.rollback(named)
                await until_served(session, url, back.id)
            answered = seen.passages.total()
            seen.passages.clear()
            seen.streamed.clear()
            while seen.passages.total() < 2 * CLIENTS or seen.streamed.total() < CLIENTS:
                await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.gather(*clients)
        last = await live_release(session, url)
    assert seen.failures == []
    assert answered > 2 * CLIENTS
    assert seen.alive > CLIENTS
    # What was under way at the switch may still be counted: at most one answer of each client.
    for counted in (seen.passages, seen.streamed):
        assert counted[3] >= counted.total() - CLIENTS, counted
    assert last == {
        "id": second.id,
        "verdict": None,
        "without_evidence": True,
        "is_exact": True,
        "problem": "",
    }
    log = await assay("releases")
    assert [line["action"] for line in log["log"]] == ["rollback"] * 5 + ["promote"] * 3
    assert log["live"]["settings"]["index"]["k"] == 3
    assert len((await assay("ask", QUESTION))["hits"]) == 3, "what serves is what answers"
