"""A bare sentence-transformers loop over the same texts on the CPU."""

import json
import sys
import time
from pathlib import Path

from beir import load, peak_mb
from sentence_transformers import SentenceTransformer


def main(folder: Path, limit: int, weights: str) -> None:
    texts, _queries, _qrels = load(folder, limit)
    model = SentenceTransformer(weights, device="cpu")
    model.encode(["warm up"])
    sample = list(texts.values())[:1000]
    started = time.perf_counter()
    model.encode(sample, batch_size=32, show_progress_bar=False, normalize_embeddings=True)
    print(json.dumps({"texts_per_s": len(sample) / (time.perf_counter() - started), "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
