"""The framework of the studies: rows, each made once, with the published value beside ours.

A study is a dict of rows, name -> function from `Options` to `Row`, and a call of `main`. Each row's numbers (JSON),
table (CSV) and figures are written when it is done, so that a study that was stopped continues with the next row.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import say
from dcgan_tf.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

FLAGS = absl_flags.FLAGS
QUICK_RESULTS = "runs/reproduction-quick"
BY_ID = " Rows of the sources are made by id with `python -m experiments.reproduction --rows=`."
AGREES, DIFFERS, SOURCE_ERROR, IN_SMALL = "agrees", "differs", "source in error", "tested in small"
VERDICTS = (AGREES, DIFFERS, SOURCE_ERROR, IN_SMALL)
PARTS = ("title", "published", "ours", "spread", "verdict", "numbers")  # of a row, kept in its record
# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")


@dataclass(frozen=True)
class Options:
    """Options of a row.

    Attributes:
      seeds: repetitions of what is random.
      quick: fewer repetitions and steps with wider tolerances, for tests; the code is the same.
      data_dir: folder of the MNIST files; empty if none is given.
    """

    seeds: int = 5
    quick: bool = False
    data_dir: str = ""

    @property
    def few(self) -> int:
        """Repetitions of what needs no more than two in the quick form."""
        return min(self.seeds, 2) if self.quick else self.seeds


@dataclass(frozen=True)
class Row:
    """The result of a row.

    Attributes:
      title: what the row is about, a few words.
      published, ours, spread: cells of the table; spread says over what, "0.01 (5 seeds)" or "none: nothing random".
      verdict: one of `VERDICTS`; a reason may follow after a colon.
      numbers: all measurements, as JSON.
      table: for the CSV: a row of names, then rows of values.
      figures: file name without ending -> figure; drawn by `new_figure`.
      animations: file name without ending -> frames uint8 [H, W, 3].
    """

    title: str
    published: str
    ours: str
    spread: str
    verdict: str
    numbers: dict[str, Any]
    table: list[list] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    animations: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict.partition(":")[0] not in VERDICTS:
            raise ValueError(f"{self.verdict}: a verdict begins with one of {', '.join(VERDICTS)}")


Rows = dict[str, Callable[[Options], Row]]


def name_rows(*rows: Callable[[Options], Row]) -> Rows:
    """A study's rows, each by its function's name."""
    return {row.__name__: row for row in rows}


def new_figure(width: float = 9.0, height: float = 4.0) -> Figure:
    """A figure of this size in inches, at 110 dots an inch; it needs no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def render(figure: Figure) -> np.ndarray:
    """Render a figure as a frame of an animation: uint8 [H, W, 3]."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def define_flags(rows: Iterable[str]) -> None:
    """Define the flags of a study's command."""
    cli.define("only", "", f"rows, separated by commas ({', '.join(rows)}); empty: all")
    define_options()


def define_options() -> None:
    """Define the flags that `read_options` reads."""
    cli.define("seeds", 5, "repetitions of what is random")
    cli.define("quick", False, "fewer repetitions and steps, in minutes, with wider tolerances")
    cli.define("data_dir", "", "folder of the MNIST files (idx, .gz); empty: digits drawn from fonts instead")
    cli.define("out", "", f"folder of the results; empty: results/ of the study, with --quick {QUICK_RESULTS}")
    cli.define("again", False, "make rows anew that were made before with the same options")


def main(rows: Rows, results: str) -> None:
    """Make the rows that the flags ask for and print each; results go to `results` unless the flags name a folder."""
    options, folder = read_options()
    for name in choose_rows(FLAGS.only, rows, BY_ID):
        record = make_row(name, rows[name], options, folder or Path(results), FLAGS.again)
        print(describe_row(name, record), flush=True)


def read_options() -> tuple[Options, Path | None]:
    """Read the options, and the folder of the results where the flags name one: `--out`, or that of `--quick`."""
    if FLAGS.seeds < 1:
        raise UserError(f"--seeds={FLAGS.seeds}: it must be at least 1.")
    out = FLAGS.out or (QUICK_RESULTS if FLAGS.quick else "")
    folder = Path(out) if out else None
    if folder and any(part.exists() and not part.is_dir() for part in (folder, *folder.parents)):
        raise UserError(f"--out={folder}: a file stands where a folder is needed; choose another one.")
    return Options(FLAGS.seeds, FLAGS.quick, FLAGS.data_dir), folder


def choose_rows(given: str, rows: Iterable[str], hint: str = "") -> list[str]:
    """The rows named in `given`, separated by commas, in any case; empty: all.

    Raises:
      UserError: there is no such row; similar names are suggested, and `hint` is added.
    """
    known = {name.lower(): name for name in rows}
    names = []
    for name in filter(None, (part.strip() for part in given.split(","))):
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)
            meant = f" Did you mean {' or '.join(known[n] for n in near)}?" if near else ""
            raise UserError(f"{name}: no such row; there are {', '.join(known.values())}.{meant}{hint}")
        names.append(known[name.lower()])
    return list(dict.fromkeys(names)) or list(known.values())


def make_row(name: str, row: Callable[[Options], Row], options: Options, folder: Path, again: bool = False) -> dict:
    """Make a row and return its record; a record of the same options that is there already is returned instead."""
    from dcgan_tf.files import write_text

    if not again and (record := find_record(name, options, folder)):
        return record
    say(f"{name} ...")
    result = row(options)
    written = _write_pictures(result, folder)
    if result.table:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(result.table)
        write_text(folder / f"{name}.csv", text.getvalue())
    record = {"row": name, "options": _describe_options(options), "pictures": written} | {
        p: getattr(result, p) for p in PARTS
    }
    write_text(folder / f"{name}.json", json.dumps(record, indent=1) + "\n")  # written last: with it the row is done
    return record


def find_record(name: str, options: Options, folder: Path) -> dict | None:
    """The row's record if it was made with these options and all its pictures exist, else None."""
    record = read_record(folder / f"{name}.json")
    whole = record and all((folder / picture).is_file() for picture in record["pictures"])
    return record if whole and record["options"] == _describe_options(options) else None


def _describe_options(options: Options) -> dict:
    return {"seeds": options.seeds, "quick": options.quick, "data_dir": Path(options.data_dir).name}


def read_record(path: Path) -> dict | None:
    """Read a row's record; None if there is none or it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if {"row", "options", "pictures", *PARTS} <= record.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _write_pictures(result: Row, folder: Path) -> list[str]:
    from dcgan_tf.files import replacing
    from dcgan_tf.pictures.animation import save_gif

    folder.mkdir(parents=True, exist_ok=True)
    for stem, figure in result.figures.items():
        with replacing(folder / f"{stem}.png") as temporary:
            figure.savefig(temporary, format="png")
    for stem, frames in result.animations.items():
        save_gif(folder / f"{stem}.gif", frames, hold=1500)
    return [*(f"{stem}.png" for stem in result.figures), *(f"{stem}.gif" for stem in result.animations)]


def describe_row(name: str, record: dict) -> str:
    """Describe a row's record in five lines."""
    return (
        f"{name}: {record['title']}\n  published: {record['published']}\n  ours: {record['ours']}\n"
        f"  spread: {record['spread']}\n  verdict: {record['verdict']}"
    )
