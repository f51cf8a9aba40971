"""AutoRAG and context-grid tune retrieval on the same paragraphs and questions as Assay; one run on this machine.

    python benchmarks/race/peers.py [--work FOLDER]

Each peer runs in an environment of its own, with onnxruntime and tokenizers beside it: `pip install AutoRAG==0.3.27`
(pip 26.3 did not finish resolving it in minutes, `uv pip install` took one) and `pip install context-grid==0.9.5`. Name
their interpreters in AUTORAG_PYTHON and CONTEXTGRID_PYTHON; a peer without one is left out, which the output says.
What a peer found stays in FOLDER, and is read from there the next time.

XQuAD (English): 240 paragraphs; every second question of the even articles for tuning, all of the odd ones untouched:
a peer's choice is made before it reads them. The score is nDCG@10 of the one gold paragraph; the embedding weights are
the same for all. A call is one configuration on one question. Assay's race (a tenth of the grid's calls, by the scores
that were recorded) runs over each peer's configurations and over a space of its own, which `bench_designs` scores.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.decisions.race.halving import Halving
from assay.documents.settings import DocumentSettings
from assay.index.beir import Beir
from assay.index.bench_designs import Design, bench_designs
from assay.index.settings import IndexSettings
from assay.models.minilm import MiniLMEmbedder, quantised_graph
from assay.models.pinned import MINILM
from assay.models.weights import fetch
from assay.stats import mean_interval, paired_interval

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ASSAY_DATA") or HERE.parents[2] / "shared" / "data")
SHARE = 0.10
"""Of the grid's calls on the dev questions, what the race may spend."""
ORDERS = 200
DEFAULT = "size=200 mode=weighted weight=0.6"


@dataclass(frozen=True)
class Part:
    """Questions as the peers read them, and the article of each."""

    rows: list[dict[str, Any]]
    clusters: list[str]


def xquad() -> tuple[dict[str, str], dict[str, Part]]:
    path = DATA / "qa" / "xquad" / "xquad.en.json"
    if not path.is_file():
        sys.exit(f"{path} is not there: set ASSAY_DATA. Nothing was measured.")
    articles = sorted(json.loads(path.read_text("utf-8"))["data"], key=lambda article: article["title"])
    documents: dict[str, str] = {}
    parts = {"dev": Part([], []), "untouched": Part([], [])}
    for place, article in enumerate(articles):
        part = parts["dev" if place % 2 == 0 else "untouched"]
        for number, paragraph in enumerate(article["paragraphs"]):
            document = f"{article['title']}-{number:02d}"
            documents[document] = paragraph["context"]
            for asked in paragraph["qas"][:: 2 if place % 2 == 0 else 1]:
                answer = asked["answers"][0]
                row = {"id": asked["id"], "question": asked["question"], "document": document}
                part.rows.append(row | {"answer": answer["text"], "start": answer["answer_start"]})
                part.clusters.append(article["title"])
    return documents, parts


@dataclass(frozen=True)
class Found:
    """What a tool chose among its configurations; scores are of shape (questions, configurations).

    `configurations` counts those that it tried on the way too, of which no score was kept.
    """

    tool: str
    configurations: int
    calls: int
    seconds: float
    cpu_seconds: float
    pick: str
    arms: tuple[str, ...]
    dev: NDArray[np.float64]
    untouched: NDArray[np.float64]
    levels: list[dict[str, str]]

    @property
    def chosen(self) -> int:
        return self.arms.index(self.pick)


def run_peer(name: str, variable: str, work: Path, *flags: str) -> Found | None:
    """Run a peer with its own interpreter, or read what an earlier run left in the folder."""
    path = work / f"{name}.json"
    if not path.exists():
        python = os.environ.get(variable)
        if not python:
            print(f"{name} left out: {variable} names no interpreter")
            return None
        script = HERE / f"{name.partition('_')[0]}_run.py"
        weights = fetch(MINILM)
        quantised_graph(weights)
        with (work / f"{name}.log").open("w") as log:
            subprocess.run([python, script, work, weights, *flags], check=True, stdout=log, stderr=log)
    found = json.loads(path.read_text("utf-8"))
    arms = tuple(found["dev"])
    scores = {part: np.array([found[part][arm] for arm in arms]).T for part in ("dev", "untouched")}
    print(f"{found['tool']} {found['version']}: {json.dumps(found['says'])[:700]}")
    on_dev = float(scores["dev"][:, arms.index(found["pick"])].mean())
    assert abs(on_dev - found["pick_on_dev"]) < 1e-9, "the tool's own figure of its pick is another one"
    return Found(
        tool=found["tool"] + (", cutters too" if flags else ""),
        configurations=found["configurations"],
        calls=found["calls"],
        seconds=found["seconds"],
        cpu_seconds=found["cpu_seconds"],
        pick=found["pick"],
        arms=arms,
        levels=[levels_of(arm, found["levels"].get(arm)) for arm in arms],
        **scores,
    )


def levels_of(arm: str, levels: Mapping[str, str] | None) -> dict[str, str]:
    """An arm's factors: the words of its name (AutoRAG's fusions), or cutter and index with its settings apart."""
    if levels is None:
        return dict(word.split("=") for word in arm.split())
    kind, _, rest = levels["index"].partition(":")
    words = rest.split(",") if rest else []
    settings = dict(word.split("=") for word in words if "=" in word)
    name = " ".join([kind, *(word for word in words if "=" not in word and kind != "bm25")])
    if kind == "bm25" and words:
        settings["k1"] = words[0]
    weight = settings.get("alpha", settings.get("rrf_k", "-"))
    others = {key: settings.get(key, "-") for key in ("k1", "b")}
    return {"chunker": levels["chunker"], "index": name, "weight": weight, **others}


def own_space() -> dict[str, tuple[Design, dict[str, str]]]:
    """Designs of Assay with their factors: two cuts, each side alone, and both fused in 26 ways."""
    found = {}
    ways = [{"mode": "lexical"}, {"mode": "dense"}]
    ways += [{"mode": "fused", "fusion": "weighted", "dense_weight": place / 20} for place in range(21)]
    ways += [{"mode": "fused", "fusion": "rrf", "rrf_k": k} for k in (4, 10, 20, 60, 100)]
    for size in (200, 1000):
        for way in ways:
            weight = way.get("dense_weight", way.get("rrf_k", "-"))
            levels = {"size": str(size), "mode": str(way.get("fusion", way["mode"])), "weight": f"{weight}"}
            design = Design(DocumentSettings(size=size), IndexSettings.model_validate(way))
            found[" ".join(f"{key}={value}" for key, value in levels.items())] = (design, levels)
    return found


async def own(work: Path, parts: Mapping[str, Part], documents: Mapping[str, str]) -> Found:
    """Assay's space: every design on the dev questions in one pass, timed from the texts on; then on the others."""
    corpus = work / "corpus.jsonl"
    lines = [json.dumps({"_id": key, "text": text}) for key, text in documents.items()]
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    space = own_space()
    designs = [design for design, _ in space.values()]
    scores = {}
    wall, cpu = time.perf_counter(), time.process_time()
    took = (0.0, 0.0)
    for name, part in parts.items():
        queries = {row["id"]: row["question"] for row in part.rows}
        qrels = {row["id"]: {row["document"]: 1} for row in part.rows}
        embedder = MiniLMEmbedder.load(threads=1)
        with tempfile.TemporaryDirectory() as home:
            bench = await bench_designs(
                Beir(name, corpus, queries, qrels), designs, home=Path(home), embedder=embedder, threads=1
            )
        await embedder.aclose()
        if name == "dev":
            took = (time.perf_counter() - wall, time.process_time() - cpu)
        places = [bench.queries.index(row["id"]) for row in part.rows]
        scores[name] = np.array([result.ndcg[places] for result in bench.results]).T
    arms = tuple(space)
    return Found(
        tool="Assay, whole grid in one pass",
        configurations=len(arms),
        calls=scores["dev"].size,
        seconds=took[0],
        cpu_seconds=took[1],
        pick=arms[int(scores["dev"].mean(axis=0).argmax())],  # of equal ones the first, as the peers' do
        arms=arms,
        levels=[levels for _, levels in space.values()],
        **scores,
    )


def raced(found: Found, seed: int) -> tuple[int, int]:
    """Assay's race over a tool's configurations on the dev questions, in an order of the seed: the pick and calls."""
    items, arms = found.dev.shape
    order = np.random.default_rng(seed).permutation(items)
    columns = np.random.default_rng(10_000 + seed).permutation(arms)
    race = Halving([found.levels[column] for column in columns], arms, items=items, calls=round(SHARE * items * arms))
    calls = 0
    while (round_ := race.next()) is not None:
        for arm in round_.arms:
            for item in round_.items:
                race.add(arm, item, float(found.dev[order[item], columns[arm]]))
        calls += round_.calls
        race.close()
    assert race.winner is not None
    return int(columns[race.winner]), calls


def rows_of(found: Found, clusters: Sequence[str]) -> list[list[str]]:
    """The tool's own row, and Assay's race over the same configurations."""
    began = time.perf_counter()
    picks = [raced(found, seed) for seed in range(ORDERS)]
    took = (time.perf_counter() - began) / ORDERS
    means = found.untouched.mean(axis=0)
    scores = np.array([means[pick] for pick, _ in picks])
    first, calls = picks[0]
    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95])
    own = [found.tool, f"{found.configurations}", f"{found.calls:,}"]
    own += [f"{found.seconds:.0f}", f"{found.cpu_seconds:.0f}", *scored(found, found.chosen, clusters)]
    race = ["... raced by Assay", f"{len(found.arms)}", f"{calls:,}", "", f"rule {took:.2f}"]
    spread = f"{ORDERS} orders: 5% {low:.4f}, median {middle:.4f}, 95% {high:.4f}"
    return [own, [*race, *scored(found, first, clusters)], ["", "", "", "", "", "", "", spread, "", ""]]


def against_default(found: Found, clusters: Sequence[str]) -> str:
    """What the race's pick over Assay's own space gains on the untouched questions over what ships."""
    default = found.arms.index(DEFAULT)
    pick, _ = raced(found, 0)
    before, after = found.untouched[:, default], found.untouched[:, pick]
    gain = paired_interval(before, after, clusters=clusters)
    return (
        f"Assay's default ({DEFAULT}): untouched {before.mean():.4f}; the race's pick gains {100 * gain.value:+.2f} "
        f"[{100 * gain.low:+.2f}, {100 * gain.high:+.2f}] points ({gain.method})"
    )


def scored(found: Found, pick: int, clusters: Sequence[str]) -> list[str]:
    """The pick, its dev and untouched score, and what the best of all on the untouched questions has over it."""
    untouched, best = found.untouched[:, pick], int(found.untouched.mean(axis=0).argmax())
    interval = mean_interval(untouched, clusters=clusters)
    behind = paired_interval(found.untouched[:, best], untouched, clusters=clusters) if pick != best else None
    return [
        found.arms[pick],
        f"{found.dev[:, pick].mean():.4f}",
        f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]",
        f"{found.untouched[:, best].mean():.4f} {found.arms[best]}",
        "0" if behind is None else f"{100 * behind.value:+.2f} [{100 * behind.low:+.2f}, {100 * behind.high:+.2f}]",
    ]


HEADER = [
    "tool",
    "configurations",
    "calls",
    "wall s",
    "cpu s",
    "pick",
    "dev",
    "untouched (95%, by article)",
    "best of all untouched",
    "pick - best, points",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where the peers work and what they found stays (default: nowhere)")
    arguments = parser.parse_args()
    documents, parts = xquad()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        work.mkdir(exist_ok=True, parents=True)
        (work / "corpus.json").write_text(json.dumps(documents), encoding="utf-8")
        for name, part in parts.items():
            (work / f"{name}.json").write_text(json.dumps(part.rows), encoding="utf-8")
        peers = [
            run_peer("contextgrid", "CONTEXTGRID_PYTHON", work),
            run_peer("contextgrid_cuts", "CONTEXTGRID_PYTHON", work, "--cuts"),
            run_peer("autorag", "AUTORAG_PYTHON", work),
            asyncio.run(own(work, parts, documents)),
        ]
    print(f"\n{len(documents)} paragraphs, {len(parts['dev'].rows)} dev and {len(parts['untouched'].rows)} untouched")
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    for found in peers:
        for row in rows_of(found, parts["untouched"].clusters) if found else []:
            print("| " + " | ".join(row) + " |")
    ours = peers[-1]
    assert ours is not None
    print("\n" + against_default(ours, parts["untouched"].clusters))


if __name__ == "__main__":
    main()
