"""Settings for somebody's callable, checked against what it declares: annotations, a pydantic model, a dataclass.

Invariant: a callable is never called with a value of the wrong type or with a name it does not have; what it was called
with, defaults included, is what the run records. Proved by `tests/unit/evals/test_systems_callables.py`.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from assay.errors import BadSetting
from assay.evals.systems.spec import nearest

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a callable gets beside the question; `effective` is all of it as JSON, for the run's record."""

    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    effective: Mapping[str, Any]


def arguments_for(function: Callable[..., Any], values: Mapping[str, Any], *, who: str, question: bool) -> Arguments:
    """The arguments `values` give for `function`; with `question`, its first parameter is left for that.

    Raises BadSetting where it cannot take a question, lacks a setting, or does not know one or its value.
    """
    parameters = _parameters(function)
    if parameters is None:  # written in C, without a signature: it can only take the question
        if values:
            raise BadSetting(f"{who} does not say what settings it has.", hint="Wrap it in a function of your own.")
        return Arguments((), {}, {})
    hints = hints_of(function)
    if question:
        parameters = _without_question(parameters, who=who)
    if (whole := _settings_parameter(parameters, hints)) is not None:
        given = _whole(hints.get(whole.name, Any), values, who=who)
        named = {} if whole.kind is inspect.Parameter.POSITIONAL_ONLY else {whole.name: given}
        _check_no_other(parameters, whole, who=who)
        return Arguments(() if named else (given,), named, _shown(given))
    return _one_by_one(parameters, hints, values, who=who)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return None


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, of a class's constructor or of an object's call; none that cannot be read."""
    target = function.__init__ if inspect.isclass(function) else function
    if not inspect.isroutine(target):
        target = getattr(target, "__call__", target)  # noqa: B004  an object's own hints are on its class's method
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001  annotations are anybody's code; without them any value will do
        return {}


def _without_question(parameters: list[inspect.Parameter], *, who: str) -> list[inspect.Parameter]:
    if parameters and parameters[0].kind in _BY_POSITION:
        return parameters[1:]
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return parameters
    takes = "only keyword arguments" if parameters else "no argument"
    raise BadSetting(f"{who} takes {takes}.", hint="Let it take the question as its first argument.")


def _settings_parameter(parameters: list[inspect.Parameter], hints: Mapping[str, Any]) -> inspect.Parameter | None:
    """The parameter that takes all settings as one: a model, a dataclass, or one called `settings`."""
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if parameter.name == "settings" or _is_record(hints.get(parameter.name)):
            return parameter
    return None


def _check_no_other(parameters: list[inspect.Parameter], whole: inspect.Parameter, *, who: str) -> None:
    for parameter in parameters:
        needed = parameter.default is inspect.Parameter.empty and parameter.kind in (
            *_BY_POSITION,
            inspect.Parameter.KEYWORD_ONLY,
        )
        if parameter is not whole and needed:
            raise BadSetting(
                f"{who} needs {parameter.name} beside the question and its settings.",
                hint=f"Give {parameter.name} a default, or make it one of the settings.",
            )


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


def _whole(annotation: Any, values: Mapping[str, Any], *, who: str) -> Any:
    if not _is_record(annotation):
        return dict(values)
    if issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        known = [*fields, *(field.alias for field in fields.values() if field.alias)]
    else:
        known = [field.name for field in dataclasses.fields(annotation) if field.init]
    _check_names(values, known, who=who)
    try:
        return TypeAdapter(annotation).validate_python(dict(values))
    except ValidationError as error:
        _refuse(error, who=who)


def _one_by_one(
    parameters: list[inspect.Parameter], hints: Mapping[str, Any], values: Mapping[str, Any], *, who: str
) -> Arguments:
    free = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    named = [
        p for p in parameters if p.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and parameter.default is inspect.Parameter.empty:
            raise BadSetting(
                f"{who} takes more than the question by position: {parameter.name}.",
                hint="Let it take settings by name, with defaults.",
            )
    known = [parameter.name for parameter in named]
    if not free:
        _check_names(values, known, who=who)
    for parameter in named:
        if parameter.default is inspect.Parameter.empty and parameter.name not in values:
            raise BadSetting(
                f"{who} needs the setting {parameter.name}.", hint=f"Set {parameter.name}, or give it a default."
            )
    typed = [p for p in named if p.name in values and p.annotation is not inspect.Parameter.empty]
    checked = _validated({p.name: hints.get(p.name, Any) for p in typed}, values, who=who)
    given = {name: checked.get(name, value) for name, value in values.items()}
    defaults = {p.name: p.default for p in named if p.name not in values}
    return Arguments((), given, _shown(defaults | given))


def _validated(annotations: Mapping[str, Any], values: Mapping[str, Any], *, who: str) -> dict[str, Any]:
    if not annotations:
        return {}
    # Field names of a pydantic model may not begin with an underscore; parameters' may, so fields are numbered.
    numbered = {f"setting_{number}": name for number, name in enumerate(annotations)}
    fields: dict[str, Any] = {field: (annotations[name], ...) for field, name in numbered.items()}
    try:
        model = create_model("Settings", __config__=ConfigDict(arbitrary_types_allowed=True), **fields)
        made = model.model_validate({field: values[name] for field, name in numbered.items()})
    except ValidationError as error:
        _refuse(error, who=who, names=numbered)
    return {name: getattr(made, field) for field, name in numbered.items()}


def _check_names(values: Mapping[str, Any], known: list[str], *, who: str) -> None:
    for name in values:
        if name not in known:
            raise BadSetting(f"{who} has no setting {name!r}.", hint=nearest(name, known))


def _refuse(error: ValidationError, *, who: str, names: Mapping[str, str] | None = None) -> NoReturn:
    problem = error.errors(include_url=False)[0]
    loc = [str(part) for part in problem["loc"]]
    key = ".".join([(names or {}).get(part, part) for part in loc[:1]] + loc[1:]) or "settings"
    if problem["type"] == "missing":
        raise BadSetting(f"{who} needs the setting {key}.", hint=f"Set {key}.") from None
    given = repr(problem["input"])
    raise BadSetting(
        f"{who}: {key} = {given if len(given) < 60 else given[:59] + '…'}: {problem['msg']}.",
        hint=f"Correct {key}.",
    ) from None


def _shown(value: Any) -> Any:
    """`value` as JSON for the record: secrets stay hidden, what is not JSON is named."""
    return TypeAdapter(Any).dump_python(value, mode="json", fallback=lambda odd: f"<{type(odd).__name__}>")
