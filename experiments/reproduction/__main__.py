"""Make rows of the reproduction, and write all of them as a table with figures: REPRODUCTION.md.

    python -m experiments.reproduction --all                 # every row that a study makes
    python -m experiments.reproduction --rows=A1,B3 --seeds=3
    python -m experiments.reproduction --all --quick         # minutes; the table goes into the folder of its results

Rows that were made before with the same options are kept, so that a run that was stopped goes on. A row that fails is
named and the others go on; the exit code is then 1.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from pathlib import Path

from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import clock, say
from dcgan_tf.errors import UserError
from experiments.framework import study
from experiments.reproduction.sources import SOURCES, STUDIES

FLAGS = absl_flags.FLAGS
PAGE = "REPRODUCTION.md"


def all_rows() -> study.Rows:
    """The rows of all studies, in the order of the sources, then what goes beyond them."""
    rows = {}
    for name in STUDIES:
        rows |= importlib.import_module(f"experiments.{name}").ROWS
    order = list(SOURCES)
    return dict(sorted(rows.items(), key=lambda row: order.index(row[0]) if row[0] in order else len(order)))


def define_flags() -> None:
    cli.define("all", False, "make every row")
    cli.define("rows", "", "rows to make, commas between: A1 to F4, and what the studies have beyond the sources")
    study.define_options()


def main() -> None:
    options, folder = study.given_options()
    if FLAGS.all == bool(FLAGS.rows):
        raise UserError("--all or --rows=A1,B3 is needed, one of them.")
    rows = all_rows()
    wanted = study.chosen(FLAGS.rows, dict.fromkeys([*SOURCES, *rows])) if FLAGS.rows else list(rows)
    failed = make(wanted, rows, options, folder, FLAGS.again)
    # Only the full form in its own place is the repository's page.
    whole = not options.quick and folder.resolve() == Path(study.RESULTS).resolve()
    page = write_page(rows, folder, Path(study.RESULTS).parent.parent if whole else folder)
    say(f"{page}: written.")
    if failed:
        say(f"{len(failed)} of {len(wanted)} rows failed: {'; '.join(failed)}")
        sys.exit(1)


def make(wanted: list[str], rows: study.Rows, options: study.Options, folder: Path, again: bool) -> list[str]:
    """Make the rows that are wanted, a line for each; returns those that failed, with the reason."""
    makeable = [name for name in wanted if name in rows]
    if held := [name for name in wanted if name not in rows]:
        say(f"{', '.join(held)}: no study makes these; the table has their commands and tests.")
    to_make = [name for name in makeable if again or not study.kept(name, options, folder)]
    failed, started, done = [], time.monotonic(), 0
    for place, name in enumerate(makeable, 1):
        try:
            record = study.made(name, rows[name], options, folder, again)
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
        say(f"[{place} of {len(makeable)}] {name}: {outcome}" + (f" ({clock(left)} left)" if left else ""))
    return failed


def write_page(rows: study.Rows, folder: Path, place: Path) -> Path:
    """Write the page into `place` from the records in `folder`; returns its path."""
    from dcgan_tf.files import write_text
    from experiments.reproduction.table import page

    write_text(place / PAGE, page(rows, folder, place, "python -m experiments.reproduction"))
    return place / PAGE


if __name__ == "__main__":
    define_flags()
    cli.run(main, __doc__)
