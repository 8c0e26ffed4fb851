"""Flags made from settings, and what all commands share: parsing, help, errors and exit codes.

TensorFlow is not imported here, so that `--help` and a wrong flag are answered in well under a second.
"""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import errno
import io
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from absl import app, flags

from dcgan_tf import config as config_lib
from dcgan_tf.config import Config
from dcgan_tf.console import ESCAPE, python_command
from dcgan_tf.errors import UserError
from dcgan_tf.settings import Settings, describe_bounds, expand

FLAGS = flags.FLAGS
_DEFINED: list[str] = []  # in the order that --help shows
_TEXTS: list[str] = []  # of a command's own flags: folders, files and names
_FLAG_KINDS: dict[type, Callable[..., Any]] = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
}
S = TypeVar("S", bound=Settings)


def define(name: str, default, help: str) -> None:
    """Define one flag of this command; its type is that of the default (None: a string)."""
    kind = _FLAG_KINDS.get(type(default), flags.DEFINE_string)
    kind(name, default, help)
    _DEFINED.append(name)
    if kind is flags.DEFINE_string:
        _TEXTS.append(name)


def define_settings(settings: type[Settings], *names: str) -> None:
    """Define a flag for each of the named fields of a `Settings` class, or for all fields if none is named.

    The flags default to None, which tells `read_settings` and `read_config` that a flag was not given.
    """
    for field in dataclasses.fields(settings):
        if names and field.name not in names:
            continue
        choice = settings.choices[field.name]
        allows = ", ".join(map(str, choice)) if choice else describe_bounds(field)
        text = field.metadata["help"] + (f" [{allows}]" if allows else "")
        text += f" (default: {field.default})" if field.default != "" else ""
        _FLAG_KINDS.get(type(field.default), flags.DEFINE_string)(field.name, None, text)
        _DEFINED.append(field.name)


def read_settings(settings: type[S]) -> S:
    """Return the settings with the values of the flags that were given.

    Raises:
      UserError: a value is out of range; the message names the flag.
    """
    return settings(**_read_given(settings))


def define_config(*names: str) -> None:
    """Define `--preset` and a flag for each of the named fields of `Config`, or for all fields if none is named."""
    presets = "; ".join(f"{name}: {text}" for name, (text, _) in config_lib.PRESETS.items())
    define("preset", "article", f"base preset; explicit flags override it ({presets})")
    define_settings(Config, *(names or [f.name for f in dataclasses.fields(Config) if f.name != "preset"]))


def read_config() -> Config:
    """Return the preset with the values of the flags that were given.

    Raises:
      UserError: a value is out of range; the message names the flag.
    """
    given = _read_given(Config)
    return config_lib.preset(given.pop("preset"), **given)


def _read_given(settings: type[Settings]) -> dict[str, Any]:
    names = [f.name for f in dataclasses.fields(settings) if f.name in FLAGS]
    return {name: FLAGS[name].value for name in names if FLAGS[name].value is not None}


def run(main: Callable[[], None], doc: str) -> None:
    """Parse the flags and call `main`. Errors that a user can cause are printed as one sentence, with exit code 2.

    Args:
      main: the command.
      doc: the description of the command, printed by --help.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may have bytes that are no UTF-8
            stream.reconfigure(errors=ESCAPE)

    def parse(argv: list[str]) -> list[str]:
        if any(a in ("-h", "-help", "--help", "--helpfull", "--helpshort") for a in argv[1:]):
            try:
                print(_format_help(doc), flush=True)
            except BrokenPipeError:  # the reader has closed the pipe, as in `... --help | head`
                sys.stderr.close()
            sys.exit(0)
        try:
            rest = FLAGS([part for given in argv for part in _read_flagfile(given)])
        except flags.UnrecognizedFlagError as error:
            near = difflib.get_close_matches(error.flagname, _DEFINED, n=1, cutoff=0.5)
            meant = f" Did you mean --{near[0]}?" if near else ""
            _fail(f"--{error.flagname}: no such flag.{meant} See --help.")
        except flags.Error as error:
            _fail(f"{str(error).removeprefix('ERROR:: ').rstrip('.')}. See --help.")
        except UnicodeDecodeError:
            _fail("--flagfile: not a text file. See --help.")
        for name in _TEXTS:
            FLAGS[name].value = expand(FLAGS[name].value)
        if len(rest) > 1:
            _fail(f"{rest[1]}: not a flag; settings are given as --name=value. See --help.")
        return rest

    def run_main(_argv) -> None:
        try:
            main()
        except UserError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)
        except BrokenPipeError:  # the reader has closed the pipe, as in `... | head`
            sys.stderr.close()
            sys.exit(128 + signal.SIGPIPE)
        except OSError as error:
            # The user can correct a full or read-only disk and missing permissions; anything else is a bug.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG):
                raise
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror}; files that were complete before are intact.")

    try:
        app.run(run_main, flags_parser=parse)
    finally:  # in a notebook, the next command of the same process defines its own
        for name in _DEFINED:
            delattr(FLAGS, name)
        _DEFINED.clear()
        _TEXTS.clear()


def _read_flagfile(given: str) -> list[str]:
    """The flags in a flagfile that starts with a byte order mark, as Windows's editors write it; else what is given."""
    name, _, path = given.partition("=")
    if name.lstrip("-") != "flagfile" or not os.path.isfile(path):
        return [given]
    data = Path(path).read_bytes()
    if not data.startswith(codecs.BOM_UTF8):
        return [given]
    lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def this_command() -> str:
    """Return the command line that continues this run: the one given, without --fresh."""
    given = [a for a in sys.argv[1:] if a.lstrip("-").partition("=")[0] != "fresh"]
    if "fresh" in FLAGS and FLAGS["fresh"].value and len(given) == len(sys.argv) - 1:
        given.append("--nofresh")  # --fresh is in a flagfile
    command = Path(sys.argv[0]).stem.removeprefix("dcgan-").replace("-", "_")  # "train", or "dcgan-train" as a script
    return f"{python_command()} -m dcgan_tf.{command} {shlex.join(given)}".rstrip()


def print_paths(paths: Iterable[Path]) -> None:
    """Print the files that a command wrote, one per line."""
    for path in paths:
        print(path)


def _fail(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)


def _format_help(doc: str) -> str:
    import textwrap

    lines = [doc.strip(), "", "flags:"]
    for name in _DEFINED:
        flag = FLAGS[name]
        text = flag.help if flag.default is None or flag.default == "" else f"{flag.help} (default: {flag.default})"
        lines.append(f"  --{name}")
        lines += textwrap.wrap(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    lines += ["  --flagfile", "      a file with flags, one --name=value per line"]
    return "\n".join(lines)
