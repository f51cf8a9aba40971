"""What the evaluation engine costs by itself, on the real ledger (SQLite).

    python benchmarks/evals/engine.py speed      case-scores/s on one core, scripted system and scorer
    python benchmarks/evals/engine.py embedded   time on top of the embedded model's own
    python benchmarks/evals/engine.py memory     peak memory of 100,000 cases, and the first new case after kill -9
    python benchmarks/evals/engine.py kills      calls paid twice over 50 kills at random moments
    python benchmarks/evals/engine.py peers      one scripted judge call a case: Assay, ragas, DeepEval, inspect_ai

Each prints one JSON object. Peers live in environments of their own, made at the first run in `.venv-NAME` beside this
file; `RAGAS_VENV`, `DEEPEVAL_VENV` and `INSPECT_AI_VENV` name ones to reuse.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

from engine_parts import Counting, Embedded, evaluation, first_new_case, made_cases, opened, run_on  # noqa: E402

from assay.ledger.database import sqlite_url  # noqa: E402
from eval_processes import paid_again, start  # noqa: E402

PEERS = {
    "ragas": ["ragas==0.4.3", "langchain-community<0.4"],
    "deepeval": ["deepeval==4.3.1"],
    "inspect_ai": ["inspect_ai==0.3.285"],
}


def speed(cases: int) -> dict[str, Any]:
    """Three runs of new cases on one core; a case has one score."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures = []
    for attempt in range(3):
        with tempfile.TemporaryDirectory() as folder:
            made = made_cases(cases, salt=str(attempt))
            wall, cpu = time.perf_counter(), time.process_time()
            record = asyncio.run(evaluation(Path(folder), Counting(), made))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            assert record.results == cases
            figures.append({"per_s_wall": round(cases / wall), "per_s_cpu": round(cases / cpu)})
    return {"cases": cases, "runs": figures, "load_average": os.getloadavg()[0]}


def embedded(cases: int) -> dict[str, Any]:
    """One case at a time: the evaluation's wall-clock time over the time its model calls took."""

    async def main() -> dict[str, Any]:
        system = Embedded.load()
        await system("warm up")
        system.seconds = 0.0
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as (runs, values):
            started = time.perf_counter()
            await run_on(runs, values, system, made_cases(cases), concurrency=1)
            seconds = time.perf_counter() - started
        await system.aclose()
        return {
            "cases": cases,
            "model_s": round(system.seconds, 2),
            "evaluate_s": round(seconds, 2),
            "over": round(seconds / system.seconds - 1, 4),
        }

    return asyncio.run(main())


def memory(cases: int) -> dict[str, Any]:
    """A child evaluates; it is killed in the middle, and another goes on."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "engine_parts.py"), folder, str(cases)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if json.loads(line).get("done", 0) >= cases // 2:
                break
        child.kill()
        child.wait()
        began = time.time()
        resumed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        lines = [json.loads(line) for line in resumed.stdout.splitlines()]
        size = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
    return {
        "cases": cases,
        "peak_mb": lines[-1]["peak_mb"],
        "peak_mb_with_cases_only": lines[0]["peak_mb"],
        "first_new_case_s_after_process_start": round(first_new_case(lines) - began, 2),
        "first_new_case_s_after_evaluate": round(first_new_case(lines) - lines[0]["evaluate"], 2),
        "database_mb": round(size / 2**20),
        "results": lines[-1]["results"],
    }


def kills(count: int) -> dict[str, Any]:
    """The child of the kill story, killed so many times; a call takes 10 ms, so hundreds end each second."""
    chance = random.Random(1)
    cases = 400 * count
    with tempfile.TemporaryDirectory() as folder:
        url, log = sqlite_url(Path(folder) / "assay.db"), Path(folder) / "paid.log"
        done = 0
        for _ in range(count):
            attempt = start(url, log, cases=cases, delay_ms=10)
            time.sleep(chance.uniform(0.1, 1.5))
            done += attempt.poll() is not None
            attempt.kill()
            attempt.wait()
        calls, after_kept, after_paid = paid_again(log)
        assert not done, "an attempt finished before it was killed"
        last = start(url, log, cases=cases, delay_ms=0)
        ended = json.loads(last.communicate()[0].splitlines()[-1])
        total, kept_total, paid_total = paid_again(log)
    return {
        "kills": count,
        "paid_calls_before_the_last_attempt": calls,
        "paid_calls": total,
        "paid_again_after_put_had_returned": max(after_kept, kept_total),
        "paid_again_after_the_call_had_returned": max(after_paid, paid_total),
        "ended": ended,
    }


def peers(cases: int) -> dict[str, Any]:
    """Each side in a process of its own, one after the other; the slow ones on fewer cases."""
    found = {"assay": _side(Path(sys.executable), "assay", cases)}
    for name in PEERS:
        found[name] = _side(_python_of(name), name, max(100, cases // 10))
    ours = found["assay"]
    ratios = {name: round(ours["cases_per_s"] / side["cases_per_s"], 1) for name, side in found.items()}
    return {**found, "times_faster_than": ratios, "load_average": os.getloadavg()[0]}


def _side(python: Path, name: str, cases: int) -> dict[str, Any]:
    command = [str(python), "-W", "ignore", str(HERE / "engine_peers.py"), name, str(cases)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _python_of(name: str) -> Path:
    folder = Path(os.environ.get(f"{name.upper()}_VENV", HERE / f".venv-{name}"))
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
    return python


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"speed": 20_000, "embedded": 20, "memory": 100_000, "kills": 50, "peers": 3_000}
    parser.add_argument("what", choices=sizes)
    parser.add_argument("-n", type=int, help="cases, or kills")
    arguments = parser.parse_args()
    figures = globals()[arguments.what](arguments.n or sizes[arguments.what])
    own = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({arguments.what: figures, "benchmark_peak_mb": own}, indent=2))
