"""Settings from TOML files and ``key=value`` overrides; a mistake names the key and the file."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from recsys.errors import ConfigError

PRESET = "preset"
"""Key of a table whose other keys are relative to it."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Of chance; scikit-learn takes none beyond."""


class Config(BaseModel):
    """Base of every settings class: immutable, numbers finite, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _no_number_by_truth(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Refuse true for 1: Python takes it for a number, who writes it means a switch."""
        taken = validate(value)
        if isinstance(value, bool) and isinstance(taken, int | float) and taken is not value:
            raise PydanticCustomError("no_number", "Input should be a number")
        return taken


T = TypeVar("T", bound=BaseModel)


def load(cls: type[T], path: Path | None, overrides: Sequence[str] = ()) -> T:
    """Build ``cls`` from a TOML file and command-line overrides.

    Args:
        cls: A settings class.
        path: The TOML file; None starts from the defaults.
        overrides: Settings such as ``"optimizer.lr=3e-4"`` or ``"fairness=off"``, applied last. A
            table's ``preset`` starts that table anew, whatever the file says of it.

    Raises:
        ConfigError: The file cannot be read, a key is unknown or missing, or a value is wrong.
    """
    tree = _read(path) if path else {}
    for override in overrides:
        _set(tree, override)
    where = path.name if path else "settings"
    if path and overrides:
        where += " or what overrules it"
    return build(cls, tree, where=where)


def load_over(
    cls: type[T], path: Path | None, tree: Mapping[str, Any], *, where: str = "settings"
) -> T:
    """Build ``cls`` from a TOML file and, over it, a tree of settings that wins key by key.

    Mistakes are said to be in ``where``.

    Raises:
        ConfigError: As :func:`load`.
    """
    return build(cls, _merged(_read(path) if path else {}, tree), where=where)


def build(cls: type[T], tree: dict[str, Any], *, where: str) -> T:
    """Validate a tree of plain values, naming every wrong key.

    Raises:
        ConfigError: A key is unknown or missing, or a value is wrong.
    """
    try:
        return cls.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, cls)}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a TOML file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    if PRESET in over:
        return dict(over)
    both = {k: v for k, v in base.items() if isinstance(v, Mapping) and k in over}
    deeper = {k: _merged(v, over[k]) for k, v in both.items() if isinstance(over[k], Mapping)}
    return {**base, **over, **deeper}


def _set(tree: dict[str, Any], override: str) -> None:
    """Set one dotted key; its value is read as TOML, or else as a bare string."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted.strip():
        raise ConfigError(f"{override!r}: expected key=value, as in optimizer.lr=3e-4")
    *parents, key = dotted.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{override!r}: {parent} is a value, it has no keys of its own")
    if key == PRESET:
        tree.clear()
    tree[key] = _value(override, text)


def _value(override: str, text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    if len(found) > 1:
        raise ConfigError(f"{override!r}: expected one value, found more settings below it")
    return found["value"]


def _explain(error: ValidationError, cls: type[BaseModel]) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or cls.__name__
        if item["type"] == "extra_forbidden":
            known = ", ".join(_table(cls, item["loc"][:-1]).model_fields)
            lines.append(f"unknown key {key!r}; expected one of {known}")
        else:
            told = item["type"] in ("missing", "value_error")  # the message says what was found
            found = "" if told else f", found {item['input']!r}"
            lines.append(f"{key}: {item['msg']}{found}")
    return "; ".join(lines)


def _table(cls: type[BaseModel], parents: Sequence[int | str]) -> type[BaseModel]:
    """Find the settings class that the parents of an unknown key lead to."""
    for parent in parents:
        annotation = cls.model_fields[str(parent)].annotation
        kinds = get_args(annotation) or (annotation,)
        cls = next(one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))
    return cls
