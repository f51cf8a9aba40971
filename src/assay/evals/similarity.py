"""How near an answer is to a reference, by letters and words alone: formulas of the field, as their scripts have them.

Exact match and token F1 are those of SQuAD's official script (Rajpurkar et al. 2018), ROUGE-L is the F-measure of the
`rouge-score` package without stemming (Lin 2004), chrF is chrF2 of `sacrebleu` over 100 (Popović 2015). All are in
[0, 1]. Proved by `tests/oracles/test_answer_metrics.py` against all three.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

LONGEST = 100_000
"""Characters of an answer that are compared: a model that never stops must not stop the run."""

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ROUGE_TOKEN = re.compile(r"[a-z0-9]+")
_CHRF_ORDER = 6
_CHRF_BETA_SQUARED = 4


@lru_cache(maxsize=64)  # three metrics ask for the same texts in turn
def squad_normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space as single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def best(metric: Callable[[str, str], float], answer: str, references: Sequence[str]) -> float:
    """The metric against whichever reference is nearest; 0 without references."""
    return max((metric(answer, reference) for reference in references), default=0.0)


def exact_match(answer: str, reference: str) -> float:
    """1 where both are the same once normalised, else 0. An empty reference means that declining is right."""
    return float(squad_normalised(answer) == squad_normalised(reference))


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of normalised words; 1 or 0 where either text has none."""
    given, wanted = squad_normalised(answer).split(), squad_normalised(reference).split()
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return _f1(shared, len(given), len(wanted))


def contains(answer: str, reference: str) -> float:
    """1 where the answer has the reference in it, word for word once normalised, else 0."""
    wanted = squad_normalised(reference)
    return float(bool(wanted) and f" {wanted} " in f" {squad_normalised(answer)} ")


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words. Words are runs of ASCII letters and digits."""
    given, wanted = rouge_tokens(answer), rouge_tokens(reference)
    return _f1(_common_subsequence(given, wanted), len(given), len(wanted))


def rouge_tokens(text: str) -> list[str]:
    """The words ROUGE sees: none in a text of another script."""
    return _ROUGE_TOKEN.findall(text.lower())


def chrf(answer: str, reference: str) -> float:
    """chrF2: F-beta, beta 2, of the mean precision and recall of character n-grams up to 6, white space left out.

    Lengths of which either text has no n-gram are left out of the mean.
    """
    given, wanted = "".join(answer.split()), "".join(reference.split())
    orders = min(_CHRF_ORDER, len(given), len(wanted))
    precision = recall = 0.0
    for order in range(1, orders + 1):
        shared = _shared_ngrams(given, wanted, order)
        if not shared:
            break  # then no longer ones are shared either
        precision += shared / (len(given) - order + 1)
        recall += shared / (len(wanted) - order + 1)
    if not precision + recall:
        return 0.0
    # Divided once and not at each order, so that equal texts give exactly 1.
    precision, recall = precision / orders, recall / orders
    return (1 + _CHRF_BETA_SQUARED) * precision * recall / (_CHRF_BETA_SQUARED * precision + recall)


def _shared_ngrams(one: str, other: str, order: int) -> int:
    short, long = sorted((one, other), key=len)
    few = Counter(_ngrams(short, order))
    # Of the long text only what the short one has is counted: answers are often much longer than references.
    many = Counter(filter(few.__contains__, _ngrams(long, order)))
    return sum(min(count, few[ngram]) for ngram, count in many.items())


def _ngrams(text: str, order: int) -> list[str]:
    return [text[start : start + order] for start in range(len(text) - order + 1)]


def _f1(shared: int, given: int, wanted: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / given, shared / wanted
    return 2 * precision * recall / (precision + recall)


def _common_subsequence(given: Sequence[str], wanted: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of a number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(given):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(given)) - 1
    row = full
    for word in wanted:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & full
    return len(given) - row.bit_count()
