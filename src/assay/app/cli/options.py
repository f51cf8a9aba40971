"""Options that several verbs share, and how the command line turns them into settings."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from assay.app.settings import SettingsInForce

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. --set index.k=12."
)
group_option = click.option(
    "--group", "groups", multiple=True, help="Only documents of this group (and public ones); repeat for more."
)
where_option = click.option(
    "--where", "where", multiple=True, metavar="KEY=VALUE", help="Only documents whose metadata matches; repeatable."
)


def settings_from(assignments: tuple[str, ...], **flags: Any) -> "SettingsInForce":
    """Settings in force with `--set` assignments and verb flags (`index__k=5`; None: not given) on top."""
    from assay.app.settings import load_settings, parse_assignment

    given: dict[str, Any] = dict(parse_assignment(text) for text in assignments)
    given.update({name.replace("__", "."): value for name, value in flags.items() if value is not None})
    return load_settings(flags=given)


def filter_from(groups: tuple[str, ...], where: tuple[str, ...]) -> Any:
    """A Filter from --group and --where, or None where neither was given."""
    from assay.errors import BadInput
    from assay.index.hit import Filter

    if not groups and not where:
        return None
    metadata = {}
    for text in where:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadInput(f"--where takes KEY=VALUE, not {text!r}.", hint="For example: --where media_type=text/html")
        metadata[key] = value
    return Filter(groups=frozenset(groups) if groups else None, metadata=metadata)
