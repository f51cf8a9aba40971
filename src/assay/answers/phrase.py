"""A short phrase by the model in front of a quote, only where the check supports it.

The check: the phrase stands word for word in the first sentence quoted, is much shorter than it, and
says something the question does not. Off by default: LOG.md has what was measured.
"""

from assay.answers.words import content_stems, words
from assay.models.chat import ChatModel, ChatRequest, Completion, Message

MAX_TOKENS = 24
_MOST_WORDS = 12

_EXAMPLES = (
    (
        "The bridge was opened in 1932 by the mayor, Anna Berg.",
        "When was the bridge opened?",
        "1932",
    ),
    (
        "Copper is mined in the north, while the south lives from fishing.",
        "What does the south live from?",
        "fishing",
    ),
)


async def ask_for_phrase(question: str, sentence: str, *, model: ChatModel) -> Completion:
    """The model's shortest answer to `question` from `sentence`, unchecked."""
    messages: list[Message] = []
    for text, asked, answer in _EXAMPLES:
        messages += [Message("user", _prompt(text, asked)), Message("assistant", answer)]
    messages.append(Message("user", _prompt(sentence, question)))
    return await model.complete(ChatRequest(tuple(messages), max_tokens=MAX_TOKENS, stop=("\n",)))


def checked_phrase(written: str, *, question: str, sentence: str) -> str:
    """The phrase as the sentence writes it, or nothing where the check does not support it."""
    phrase = written.strip().strip(".\"'“”").strip()
    at = sentence.casefold().find(phrase.casefold())
    if not phrase or at < 0 or len(sentence.casefold()) != len(sentence):
        return ""
    found = sentence[at : at + len(phrase)]
    whole = not (sentence[at - 1 : at].isalnum() and at) and not sentence[at + len(phrase) :][:1].isalnum()
    short = len(words(found)) <= min(_MOST_WORDS, len(words(sentence)) // 2)
    new = set(content_stems(found)) - set(content_stems(question))
    return found if whole and short and new else ""


def _prompt(sentence: str, question: str) -> str:
    return f"Text: {sentence}\nQuestion: {question}\nShort answer:"
