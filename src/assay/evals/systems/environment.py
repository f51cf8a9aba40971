"""Values from the environment for `${NAME}` in a system's file; what they were is kept to be hidden from messages."""

import re
from collections.abc import Mapping
from typing import Any

from assay.errors import BadSetting

_NAME = re.compile(r"\$\{(\w+)\}")


class Environment:
    """Fills `${NAME}`; `secrets` collects every value it used. `where` names the file in errors."""

    def __init__(self, environ: Mapping[str, str], *, where: str) -> None:
        self._environ, self._where = environ, where
        self._used: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value used so far."""
        return tuple(self._used)

    def value(self, name: str, *, needed_by: str) -> str:
        """The variable `name`. Raises BadSetting where it is not set, or holds a line break no header can carry."""
        value = self._environ.get(name, "").strip()
        if not value:
            raise BadSetting(
                f"{self._where}: {needed_by} needs the environment variable {name}, which is not set.",
                hint=f"Set {name}, and never write its value into a file.",
            )
        if not value.isprintable():
            raise BadSetting(f"{self._where}: {name} holds a control character.", hint=f"Set {name} to one line.")
        self._used.add(value)
        return value

    def filled(self, part: Any, *, needed_by: str) -> Any:
        """`part` with `${NAME}` filled in every text of it, at any depth."""
        if isinstance(part, str):
            return _NAME.sub(lambda found: self.value(found[1], needed_by=needed_by), part)
        if isinstance(part, Mapping):
            return {key: self.filled(value, needed_by=f"{needed_by}.{key}") for key, value in part.items()}
        if isinstance(part, list):
            return [self.filled(value, needed_by=needed_by) for value in part]
        return part
