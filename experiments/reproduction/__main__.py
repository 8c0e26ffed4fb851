"""Make rows of the reproduction and write all of them as a page with a table and figures.

    python -m experiments.reproduction --all --data_dir=data/mnist  # all rows: about 20 minutes on two cores
    python -m experiments.reproduction --rows=A1,mode_collapse --seeds=3
    python -m experiments.reproduction --all --quick                # 2 minutes; the page is written beside the results

Rows that were made before with the same options are kept, so a run that was stopped continues. A row that fails is
named and the others are made; the exit code is then 1.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import format_duration, say
from dcgan_tf.errors import UserError
from experiments.framework import study
from experiments.reproduction.sources import NAMES, SOURCES, STUDIES

FLAGS = absl_flags.FLAGS
PAGE = Path("experiments/reproduction/README.md")
QUICK_PAGE = "REPRODUCTION.md"


class Entry(NamedTuple):
    """A row of a study: its function, and the folder of its record."""

    row: Callable[[study.Options], study.Row]
    results: Path


def collect_rows() -> dict[str, Entry]:
    """The rows of all studies by name, in the order of `NAMES`."""
    rows = {}
    for module, results in STUDIES.items():
        rows |= {name: Entry(row, Path(results)) for name, row in importlib.import_module(module).ROWS.items()}
    return {name: rows[name] for name in NAMES.values()}


def main() -> None:
    """Make the rows that the flags ask for, then write the page."""
    options, folder = study.read_options()
    if FLAGS.all == bool(FLAGS.rows):
        raise UserError("--all or --rows=A1,B3 is needed, one of them.")
    rows = collect_rows()
    if folder:  # instead of each study's own
        rows = {name: entry._replace(results=folder) for name, entry in rows.items()}
    wanted = list(rows)
    if FLAGS.rows:
        known = dict.fromkeys([*SOURCES, *NAMES, *rows])
        wanted = list(dict.fromkeys(NAMES.get(asked, asked) for asked in study.choose_rows(FLAGS.rows, known)))
    failed = make_rows(wanted, rows, options, FLAGS.again)
    page = folder / QUICK_PAGE if folder else PAGE
    write_page(rows, page)
    say(f"{page}: written.")
    if failed:
        say(f"{len(failed)} of {len(wanted)} rows failed: {'; '.join(failed)}")
        sys.exit(1)


def make_rows(wanted: list[str], rows: dict[str, Entry], options: study.Options, again: bool) -> list[str]:
    """Make the wanted rows and print a line for each; returns those that failed, with the reason."""
    makeable = [name for name in wanted if name in rows]
    if others := [name for name in wanted if name not in rows]:
        say(f"{', '.join(others)}: no study makes these; the table has their commands and tests.")
    to_make = [name for name in makeable if again or not study.find_record(name, options, rows[name].results)]
    failed, started, done = [], time.monotonic(), 0
    for place, name in enumerate(makeable, 1):
        try:
            record = study.make_row(name, rows[name].row, options, rows[name].results, again)
            outcome = record["verdict"]
        except UserError as error:
            outcome = f"failed: {error}"
            failed.append(f"{name}: {error}")
        except Exception as error:
            traceback.print_exc()
            outcome = f"failed: {type(error).__name__}: {error}"
            failed.append(f"{name}: {type(error).__name__}: {error}")
        done += name in to_make
        left = (len(to_make) - done) * (time.monotonic() - started) / max(done, 1)
        say(f"[{place} of {len(makeable)}] {name}: {outcome}" + (f" ({format_duration(left)} left)" if left else ""))
    return failed


def write_page(rows: dict[str, Entry], page: Path) -> None:
    """Write the page from the rows' records."""
    from dcgan_tf.files import write_text
    from experiments.reproduction import table

    results = {name: entry.results for name, entry in rows.items()}
    write_text(page, table.make_page(results, page.parent, "python -m experiments.reproduction"))


if __name__ == "__main__":
    cli.define("all", False, "make every row")
    cli.define("rows", "", "rows to make, ids or names separated by commas: A1 to F4, mode_collapse, ...")
    study.define_options()
    cli.run(main, __doc__)
