"""How long `assay compare` takes on two files of 100,000 lines, start of the program included: three runs, seconds."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LINES = 100_000


def main() -> None:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / f"{name}.jsonl" for name in "ab"]
        for path in paths:
            scores = rng.integers(0, 2, LINES)
            latencies_ms = rng.lognormal(6, 0.3, LINES)
            rows = (
                {"case": f"question-{i}", "score": int(score), "cluster": f"doc-{i // 10}", "latency_ms": float(ms)}
                for i, (score, ms) in enumerate(zip(scores, latencies_ms, strict=True))
            )
            path.write_text("\n".join(map(json.dumps, rows)))
        code = f"from assay.app.cli.main import main; main(['compare', *{list(map(str, paths))!r}, '--json'])"
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            seconds.append(round(time.perf_counter() - started, 2))
    print(json.dumps({"lines": LINES, "seconds": seconds}))


if __name__ == "__main__":
    main()
