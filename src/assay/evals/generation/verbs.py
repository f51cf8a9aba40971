"""English verbs as far as turning a statement into a question needs them: which words are one, and their base form.

Only forms that are hardly ever anything else count, so a sentence that is not understood gives no question rather than
a wrong one.
"""

from collections.abc import Collection, Iterator


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(","):
        form, base = pair.split()
        yield form, base


def word_set(text: str) -> frozenset[str]:
    """The words of a text: tables read better as running words."""
    return frozenset(text.split())


BE = frozenset(("is", "are", "was", "were"))
MODALS = frozenset(("can", "could", "may", "might", "must", "should", "will", "would"))
HAVE = frozenset(("has", "have", "had"))

_IRREGULAR = """
became become, began begin, blew blow, bought buy, broke break, brought bring, built build, came come, caught catch,
chose choose, cost cost, dealt deal, drew draw, drove drive, ate eat, fell fall, fled flee, flew fly, fought fight,
found find, gave give, got get, grew grow, held hold, hit hit, kept keep, knew know, laid lay, led lead, left leave,
lent lend, lost lose, made make, meant mean, met meet, paid pay, ran run, rose rise, said say, sang sing, sank sink,
sat sit, saw see, sent send, shook shake, shot shoot, sold sell, sought seek, spent spend, spoke speak, split split,
spread spread, stood stand, stole steal, struck strike, swept sweep, swore swear, taught teach, threw throw, told tell,
took take, thought think, understood understand, went go, withdrew withdraw, won win, wore wear, wrote write,
overthrew overthrow, overcame overcome, undertook undertake,
combined combine, controlled control, created create, decided decide, defined define, determined determine,
divided divide, examined examine, explored explore, imagined imagine, included include, invited invite, joined join,
mentioned mention, permitted permit, provided provide, resided reside, visited visit, restored restore
"""
IRREGULAR = dict(_pairs(_IRREGULAR))

# Third person forms that are never plural nouns in running text, with their base.
_PRESENT = """
allows allow, applies apply, becomes become, begins begin, belongs belong, brings bring, combines combine, comes come,
connects connect, consists consist, contains contain, covers cover, creates create, defines define, depends depend,
describes describe, enables enable, ensures ensure, exists exist, follows follow, gives give, goes go, helps help,
holds hold, improves improve, includes include, increases increase, involves involve, keeps keep, lies lie, makes make,
means mean, meets meet, occurs occur, offers offer, operates operate, owns own, prevents prevent, produces produce,
protects protect, provides provide, receives receive, reduces reduce, refers refer, remains remain,
represents represent, requires require, runs run, seems seem, sends send, serves serve, shows show, stores store,
suggests suggest, takes take, tells tell, uses use, writes write
"""
PRESENT = dict(_pairs(_PRESENT))

# Words on -ed that are more often something else than a verb.
_NOT_PAST = word_set("indeed need speed seed feed breed weed red hundred sacred limited related advanced so-called")


_LAST_TAKES_E = "vcsuz"
_UNSURE = ("it", "in", "or", "on", "id", "od")  # visited and invited, entwined and joined
_PLAIN = ("er", "en", "el", "al", "op", "om", "ow", "ay", "oy", "ey", "aw", "ew")
_VOWELS = "aeiouy"


def is_past(word: str) -> bool:
    """Whether a word in lower case is, in all likelihood, a verb in the past."""
    return word in IRREGULAR or (len(word) > 4 and word.endswith("ed") and word not in _NOT_PAST)


def base_of(past: str, *, vocabulary: Collection[str] = ()) -> str | None:
    """The base form of a past form in lower case, None where spelling does not tell.

    `vocabulary` holds words in lower case seen elsewhere: a base form that is among them is taken.
    """
    if past in IRREGULAR:
        return IRREGULAR[past]
    stem = past.removesuffix("ed")
    if stem == past or len(stem) < 2:
        return None
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if stem[-1] == stem[-2] and stem[-1] not in "sflez":
        return stem if stem in vocabulary else stem[:-1]
    known = [form for form in (stem, stem + "e") if form in vocabulary]
    if len(known) == 1:
        return known[0]
    takes_e = _takes_e(stem)
    return None if takes_e is None else stem + "e" * takes_e


def _takes_e(stem: str) -> bool | None:
    """Whether the base form has a final e that -ed hides; None where both are common."""
    last, before = stem[-1], stem[-2]
    if stem.endswith(("ss", "ll", "ff")) or stem.endswith(_PLAIN):
        return False
    if last in _LAST_TAKES_E or stem.endswith(("dg", "rg", "ang", "quir", "bl", "pl", "tl", "gl", "dl")):
        return True
    if stem.endswith(_UNSURE) and len(stem) > 3 and stem[-3] not in "aeou":
        return None
    if before not in _VOWELS or last in _VOWELS:
        return False
    # One vowel before one consonant: without an e the consonant would have been doubled, or it ends in two vowels.
    return stem[-3:-2] not in _VOWELS or len(stem) < 3
