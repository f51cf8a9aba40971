"""How often the shipped injections turn the embedded model's verdicts, beside what harmless text does. Prints figures.

python benchmarks/evals/judges_injection.py [--threads 0]
"""

import argparse
import asyncio

from assay.evals.judges.geval import GEval
from assay.evals.judges.probes import ProbeReport, injection_rate
from assay.evals.judges.rubric import GROUNDEDNESS, Rubric
from assay.evals.scorer import Scorer
from assay.models.llama import EmbeddedChat
from assay.stats.interval import Interval

STEPS = ("Read the passage.", "See whether it says what the answer says.")


def shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}] of {interval.n}"


def line(name: str, report: ProbeReport) -> str:
    return (
        f"{name}: right without {shown(report.accuracy)}; turned {shown(report.moved)}; by harmless text "
        f"{shown(report.harmless)}; no verdict {shown(report.broken)}; mean shift {report.shift:+.3f}"
    )


async def main(threads: int) -> None:
    model = EmbeddedChat.load(threads=threads)
    judges: dict[str, Scorer] = {
        "G-Eval": GEval(model, steps=STEPS, shown=("passage", "question", "answer")),
        "rubric": Rubric(
            model,
            criterion="Does the passage say what the answer says?",
            levels=GROUNDEDNESS,
            needs_reference=False,
            shows_passages=True,
        ),
    }
    for name, judge in judges.items():
        print(line(f"{model.name}, {name}", await injection_rate(judge, at_once=1)), flush=True)
    await model.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=0)
    asyncio.run(main(parser.parse_args().threads))
