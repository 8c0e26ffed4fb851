"""Settings as dataclass fields that carry a default, a help text and bounds.

Each setting is declared once. `cli.define_settings` makes a command's flags and their help from the fields, and every
value is checked against its field. TensorFlow is not imported here.
"""

from __future__ import annotations

import dataclasses
import difflib
import numbers
import os
import typing
from typing import Any, ClassVar

from dcgan_tf.errors import UserError


def setting(
    default,
    help: str,
    *,
    at_least=None,
    at_most=None,
    above=None,
    below=None,
    learned: bool = True,
    changeable: bool = False,
    path: bool = False,
) -> Any:
    """Declare one field of a `Settings` class.

    Args:
      default: the default value; its type is the type of the setting. For a choice among values, annotate the field
        with a `Literal`.
      help: what `--help` says: the meaning, with its unit.
      at_least, at_most, above, below: bounds of a number.
      learned: for fields of `Config`: whether the weights after step t depend on the setting. A setting that changes
        only what is recorded, or how long the run lasts, may differ when the run is continued.
      changeable: of what is learned: whether it may differ too when the run is continued, from that step on.
      path: whether a text names a file or folder; `~` and variables as `$HOME` are then replaced, as a shell does.
    """
    bounds = {"at_least": at_least, "at_most": at_most, "above": above, "below": below}
    metadata = {"help": help, "learned": learned, "changeable": changeable, "path": path} | {
        k: v for k, v in bounds.items() if v is not None
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base class of dataclasses whose fields are made by `setting`. Creating an instance checks every value.

    Raises:
      UserError: a value has the wrong type or is out of bounds; the message names the flag.
    """

    choices: ClassVar[dict[str, tuple]]
    """The values that each setting's `Literal` allows, by field name; () for a setting that is not a choice."""

    def __init_subclass__(cls) -> None:
        hints = typing.get_type_hints(cls)
        cls.choices = {name: typing.get_args(hint) for name, hint in hints.items() if name != "choices"}

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = check(field, getattr(self, field.name), self.choices[field.name])
            object.__setattr__(self, field.name, value)


MOVED_SET = "folder of the images that the run learned from, if it was moved"  # help of such a flag


@dataclasses.dataclass(frozen=True)
class RunOptions(Settings):
    """The options of every command that uses a trained run."""

    run: str = setting("", "folder of the run; empty: the newest in runs/", path=True)
    checkpoint: str = setting("last", "last, best, or the number of steps of a saved checkpoint")


def check(field: dataclasses.Field, value: Any, allowed: tuple = ()) -> Any:
    """Return `value` converted to the field's type.

    Args:
      field: made by `setting`.
      value: a NumPy number is accepted for a number, an int where a float is needed, and a `pathlib.Path` for a path.
      allowed: the only values allowed; (): any within the bounds.

    Raises:
      UserError: the value has the wrong type, is not allowed, is out of bounds or is not finite.
    """
    kind: Any = type(field.default)
    bounds, flag = field.metadata, f"--{field.name}"
    if kind is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = int(value)
    if kind is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        value = float(value)
    if bounds["path"]:
        value = expand(value)
    if type(value) is not kind:
        needed = {str: "a string", bool: "true or false"}.get(kind, "a number")
        raise UserError(f"{flag}={value}: {needed} is needed.")
    if allowed and value not in allowed:
        hint = suggest(value, allowed) if kind is str else ""
        raise UserError(f"{flag}={value}: unknown; it can be {join_or(allowed)}.{hint}")
    good = (
        (kind is str or value - value == 0)  # neither nan nor infinite
        and value >= bounds.get("at_least", value)
        and value <= bounds.get("at_most", value)
        and ("above" not in bounds or value > bounds["above"])
        and ("below" not in bounds or value < bounds["below"])
    )
    if not good:
        raise UserError(f"{flag}={value}: it must be {describe_bounds(field)}.")
    return value


def expand(path: Any) -> Any:
    """Replace `~` and variables such as `$HOME` in a path; a `pathlib.Path` becomes a string."""
    return os.path.expanduser(os.path.expandvars(path)) if isinstance(path, str | os.PathLike) else path


def describe_bounds(field: dataclasses.Field) -> str:
    """Describe the bounds of a setting: "at least 1 and at most 100", or "" if it has none."""
    words = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
    return " and ".join(f"{words[k]} {field.metadata[k]:,}" for k in words if k in field.metadata)


def join_or(values) -> str:
    """Join the values as "a, b or c"."""
    *most, last = [str(v) for v in values]
    return f"{', '.join(most)} or {last}" if most else last


def suggest(value: str, values) -> str:
    """Return " Did you mean x?" with the most similar of `values`, or "" if none is similar."""
    near = difflib.get_close_matches(value, values, n=1)
    return f" Did you mean {near[0]}?" if near else ""
