"""A BEIR folder and the metric, for the sides that do not import Assay."""

import json
import resource
from pathlib import Path


def load(folder: Path, limit: int) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """(documents, queries, qrels); queries without a judged document among the documents are left out."""
    documents = {}
    with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            documents[str(row["_id"])] = f"{row.get('title', '')}\n\n{row['text']}".strip()
            if limit and len(documents) >= limit:
                break
    qrels: dict[str, dict[str, int]] = {}
    test = folder / "qrels" / "test.tsv"
    for line in test.read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if document in documents:
            qrels.setdefault(query, {})[document] = int(grade)
    queries = {}
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if str(row["_id"]) in qrels:
            queries[str(row["_id"])] = row["text"]
    return documents, queries, qrels


def ndcg(qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> float:
    import ir_measures

    return float(ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
