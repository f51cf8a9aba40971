"""What a scripted judge says: a content, and the form it is written down in.

The content is what is meant, under names that belong to no tool; a tool writes it with its own keys. The form is the
same for all tools. JSON has no NaN, so a content says {"$number": "NaN"} where a judge writes the literal.
"""

import json
from collections.abc import Callable
from typing import Any

Attempt = dict[str, Any]
Keys = Callable[[Any], Any]


def said(content: Any, form: str = "json") -> Attempt:
    """A content, written in one of the forms of `written`."""
    return {"content": content, "form": form}


def verbatim(text: str) -> Attempt:
    """A reply that is no JSON of ours in any spelling: every tool sees this very text."""
    return {"content": None, "form": "verbatim", "text": text}


def written(attempt: Attempt, keys: Keys) -> str:
    """The text a tool sees, once `keys` has renamed the content's fields to the tool's."""
    if attempt["form"] == "verbatim":
        return str(attempt["text"])
    text = json.dumps(numbers(keys(attempt["content"])))
    forms = {
        "json": text,
        "fenced": f"```json\n{text}\n```",
        "embedded": f"Here is my judgement.\n{text}\nI hope this helps.",
        "truncated": text[:-1],
        "trailing_comma": f"{text[:-1]},{text[-1]}",
        "single_quotes": text.replace('"', "'"),
        "listed": f"[{text}]",
        "twice": f"{text}\n{text}",
    }
    return forms[attempt["form"]]


def numbers(value: Any) -> Any:
    """The value with each {"$number": text} in it replaced by that number."""
    if isinstance(value, dict):
        return float(value["$number"]) if set(value) == {"$number"} else {k: numbers(v) for k, v in value.items()}
    return [numbers(item) for item in value] if isinstance(value, list) else value
