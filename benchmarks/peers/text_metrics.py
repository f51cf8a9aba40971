"""Record what `rouge-score` and `sacrebleu` give for pairs of texts: the figures `tests/oracles` holds ours against.

In a virtual environment of its own:

    python -m venv peers && peers/bin/pip install rouge-score==0.1.2 sacrebleu==2.6.0
    peers/bin/python benchmarks/peers/text_metrics.py > tests/oracles/data/text_metrics.json
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

HANDBOOK = Path(__file__).resolve().parents[2] / "docs" / "handbook"
EDGES = [
    ("", ""),
    ("", "a"),
    ("a", ""),
    ("...", "!"),
    ("The cat.", "the cat"),
    ("a b c d e f g", "g f e d c b a"),
    ("one two three two one", "two one two three"),
    ("ab", "abcdefgh"),
    ("abcdefgh", "ab"),
    ("  white   space \n and\ttabs ", "white space and tabs"),
    ("Straße und Fußweg", "strasse und fussweg"),
    ("Die Übung beginnt um 9:30 Uhr.", "um 9.30 Uhr beginnt die Übung"),
    ("東京は日本の首都です", "日本の首都は東京です"),
    ("Москва — столица России", "столица России — Москва"),
    ("İstanbul", "istanbul"),
    ("naïve café", "naive cafe"),
    ("e\u0301 combining", "é combining"),
    ("$1,200.50 per 3-month term", "1200.50 dollars per three month term"),
    ("👩‍🔬 found it", "👩‍🔬 lost it"),
    ("aaaaaaaaaa", "aaaaa"),
    ("word " * 50, "word " * 20),
    ("\u00a0no-break\u00a0space", "no-break space"),
    ("x", "x"),
    ("under_score and hy-phen", "underscore and hyphen"),
]


def pairs() -> list[tuple[str, str]]:
    """Edges, the handbook's quotes against its reference answers, and shuffled words of them."""
    found = list(EDGES)
    rows = [json.loads(line) for line in (HANDBOOK / "questions.jsonl").read_text("utf-8").splitlines()]
    for row in rows[:60]:
        for piece in row.get("evidence", [])[:1]:
            found.append((piece["quote"], row["answers"][0]))
    chance = random.Random(20261124)
    words = " ".join(quote for quote, _ in found[len(EDGES) :]).split()
    for _ in range(40):
        one = chance.choices(words[:60], k=chance.randrange(1, 40))
        other = chance.choices(words[:60], k=chance.randrange(1, 40))
        found.append((" ".join(one), " ".join(other)))
    return found


def main() -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import CHRF

    rouge, chrf = RougeScorer(["rougeL"]), CHRF()
    figures = [
        {
            "answer": answer,
            "reference": reference,
            "rouge_l": rouge.score(reference, answer)["rougeL"].fmeasure,
            "chrf": chrf.sentence_score(answer, [reference]).score / 100,
        }
        for answer, reference in pairs()
    ]
    peers = {name: version(name) for name in ("rouge-score", "sacrebleu")}
    print(json.dumps({"peers": peers, "figures": figures}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
