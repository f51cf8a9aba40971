"""LLMBar: verdicts of six real judges in both orders, recorded by its authors (Zeng et al. 2024, ICLR), through check.

No model is called. One line a judge and prompt: how often its verdict survives swapping, which place it favours, and
how far what survives agrees with people; then the verdict in words for a few.
"""

import csv
import os
import sys
from collections import defaultdict
from pathlib import Path

from assay.evals.judges.check import check
from assay.evals.judges.labels import Label

DATA = Path(os.environ.get("ASSAY_DATA", "../shared/data")) / "judge" / "llmbar" / "recorded_judge_verdicts.csv"
SHOWN = ("Vanilla", "CoT", "Swap", "Metrics_Reference")


def main() -> None:
    if not DATA.exists():
        sys.exit(f"skipped: {DATA} is not there (set ASSAY_DATA)")
    found: dict[tuple[str, str], list[Label]] = defaultdict(list)
    with DATA.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["subset"].startswith("LLMBar/"):
                first, second = row["winner_orig_order"], row["winner_swapped_order_mapped_back"]
                whole = bool(first and second)
                found[row["evaluator"], row["method"]].append(
                    Label(
                        f"{row['subset']}/{row['item']}",
                        float(row["gold"] == "1"),
                        score=float(first == "1") if whole else None,
                        swapped=float(second == "1") if whole else None,
                        error="" if whole else "no verdict",
                        arm="natural" if "Natural" in row["subset"] else "adversarial",
                    )
                )
    words = []
    for (judge, prompt), labels in sorted(found.items()):
        if prompt not in SHOWN:
            continue
        report = check(labels, key=f"{judge} {prompt}")
        position = report.position
        assert position is not None
        print(
            f"{report.key:28} n {report.n:4} failed {report.failed:3} ties {report.ties:3}"
            f"  consistent {position.consistent.value:.2f} lean {position.lean.value:.2f}"
            f" [{position.lean.low:.2f}, {position.lean.high:.2f}]"
            f"  agree {report.share.value:.2f}  kappa {report.kappa.value:.2f}"
            f" [{report.kappa.low:.2f}, {report.kappa.high:.2f}]  phi {report.phi.value:.2f}"
        )
        words.append((report.key, report.verdict))
    for key, sentences in words:
        print(f"\n{key}")
        print("\n".join(f"  {sentence}" for sentence in sentences))


if __name__ == "__main__":
    main()
