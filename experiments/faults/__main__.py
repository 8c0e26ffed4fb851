"""Training runs under faults: kills, signals, full and read-only disks, wrong clocks, several processes.

    python -m experiments.faults                       # 50 kills and all other faults: about half an hour
    python -m experiments.faults --only=kill --kills=5
    python -m experiments.faults --quick               # a few of each: minutes

Every fault is caused in real processes (`python -m dcgan_tf.train`, small networks). A run survives it if the same
command then ends as the undisturbed run does: weights, optimisers, metrics and sample grids are equal bit for bit, and
no temporary file is left over. The table is printed and, with every try, written as JSON. The exit code is 1 if a fault
was not survived.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import progress, say
from dcgan_tf.errors import UserError
from dcgan_tf.files import write_text
from experiments.faults.disk import try_full_disks, try_read_only
from experiments.faults.kills import REFERENCE, finish, try_kills, try_sigterms
from experiments.framework.processes import (
    ROOT,
    Workshop,
    is_one_sentence,
    kill,
    wait_for,
    wait_until,
    worker_environments,
)

FLAGS = absl_flags.FLAGS
IMAGES = 400  # 45 steps an epoch
# Each reading of the clock is ten seconds earlier than the one before.
BACKWARDS = """
import itertools, time
_now, _looks = time.time(), itertools.count()
time.time = lambda: _now - 10.0 * next(_looks)
"""


def try_backward_clocks(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """Train with a clock that runs backwards, kill the run at some step, and date its files into the future."""
    (workshop.folder / "clock").mkdir(exist_ok=True)
    (workshop.folder / "clock" / "sitecustomize.py").write_text(BACKWARDS)
    path = {"PYTHONPATH": f"{workshop.folder / 'clock'}:{ROOT}"}
    tries = []
    for n in progress(range(count), "clock", unit="runs"):
        run = f"clock-{n}"
        process, wanted = workshop.start(run, env=path), int(rng.integers(22, workshop.steps - 5))
        wait_until(process, lambda: workshop.steps_done(run) >= wanted)  # noqa: B023
        kill(process)
        # The oldest checkpoint has the latest time, but must not count as the newest.
        for age, file in enumerate(sorted((workshop.folder / run / "run").rglob("*.*"))):
            subprocess.run(["touch", "-d", f"now + {1000 - age} hours", str(file)], check=True)
        tries.append({"run": run, "step": workshop.steps_done(run), "checkpoint": workshop.checkpoint(run)})
        tries[-1]["lost"] = workshop.lost_steps(run, process)
        finish(workshop, run, tries, env=path if n % 2 else None)
        tries[-1]["survived"] &= tries[-1].get("went_on_from") == tries[-1]["checkpoint"]
    return tries


def try_two_trainers(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """Start the same command twice, at once or one while the other trains: one trains, the other says why it cannot."""
    tries = []
    for n in progress(range(count), "two", unit="pairs"):
        run, later = f"two-{n}", n % 2 == 1
        first = workshop.start(run)
        if later:
            wanted = int(rng.integers(1, workshop.steps // 2))
            wait_until(first, lambda: workshop.steps_done(run) >= wanted)  # noqa: B023
            second = workshop.train(run)  # the first is halted meanwhile, but still holds its folder
            first.send_signal(signal.SIGCONT)
            ends = [wait_for(first), second]
        else:
            time.sleep(rng.uniform(0, 0.5))
            ends = [wait_for(process) for process in (first, workshop.start(run))]
        refused = [is_one_sentence(end) and "in use by another process" in end.err for end in ends]
        tries.append({"run": run, "phase": "while one trains" if later else "at once", "lost": 0})
        tries[-1]["codes"] = [end.code for end in ends]
        finish(workshop, run, tries)
        tries[-1]["survived"] &= sorted(tries[-1]["codes"]) == [0, 2] and sum(refused) == 1
    return tries


def try_killed_workers(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """Kill one of two workers: the other ends with a sentence, and both continue from the last checkpoint."""

    def start_both(run: str) -> list[subprocess.Popen]:
        return [workshop.start(run, env=env) for env in worker_environments()]

    def run_both(run: str) -> list:
        return [wait_for(process) for process in start_both(run)]

    run_both("two-workers")
    tries = []
    for n in progress(range(count), "worker", unit="kills"):
        run, victim, wanted = f"worker-{n}", n % 2, int(rng.integers(3, workshop.steps - 10))
        pair = start_both(run)
        while workshop.steps_done(run) < wanted and pair[0].poll() is None:
            time.sleep(0.01)
        kill(pair[victim])
        since = time.monotonic()
        end = wait_for(pair[1 - victim])
        tries.append({"run": run, "said": end.err.strip()[-200:], "seconds": time.monotonic() - since})
        tries[-1]["lost"] = workshop.lost_steps(run)
        again = run_both(run)
        differ = (
            workshop.find_differences(run, "two-workers") if all(e.code == 0 for e in again) else [again[0].err[-300:]]
        )
        tries[-1] |= {"survived": not differ and is_one_sentence(end), "differences": differ[:5]}
    return tries


FAULTS = {
    "kill": "SIGKILL",
    "term": "SIGTERM, as a scheduler's preemption",
    "disk": "disk full",
    "read_only": "read-only folder",
    "clock": "clock that runs backwards, files of the future",
    "two": "two trainers in one run folder",
    "worker": "SIGKILL of one of two workers",
}


def main() -> None:
    names = [name for name in FLAGS.only.split(",") if name] or list(FAULTS)
    if unknown := [name for name in names if name not in FAULTS]:
        raise UserError(f"--only={unknown[0]}: no such fault; there are {', '.join(FAULTS)}.")
    if FLAGS.kills < 1:
        raise UserError(f"--kills={FLAGS.kills}: it must be at least 1.")
    few = FLAGS.quick
    counts = {"kill": min(3, FLAGS.kills) if few else FLAGS.kills, "term": 1 if few else 10, "disk": 2 if few else 14}
    counts |= {"read_only": 4, "clock": 1 if few else 3, "two": 1 if few else 5, "worker": 1 if few else 4}
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        workshop = Workshop(Path(folder), IMAGES, 40 if few else 60)
        started = time.monotonic()
        end = workshop.train(REFERENCE)
        life = time.monotonic() - started
        if end.code:
            raise UserError(f"the undisturbed run failed: {end.err.strip()}")
        found = {}
        for name in names:
            rng = np.random.default_rng([FLAGS.seed, list(FAULTS).index(name)])
            more = (life,) if name in ("kill", "term") else ()
            found[name] = MAKE[name](workshop, counts[name], rng, *more)
            report = {"seed": FLAGS.seed, "quick": few, "steps": workshop.steps, "table": table(found), "tries": found}
            if FLAGS.out:  # written after each fault, so that an interruption loses only one
                write_text(Path(FLAGS.out), json.dumps(report, indent=1) + "\n")
    for row in table(found):
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    failed = [t for tries in found.values() for t in tries if "skipped" not in t and not t["survived"]]
    for each in failed:
        say(f"not survived: {json.dumps(each)}")
    sys.exit(1 if failed else 0)


MAKE = {
    "kill": try_kills,
    "term": try_sigterms,
    "disk": try_full_disks,
    "read_only": try_read_only,
    "clock": try_backward_clocks,
    "two": try_two_trainers,
    "worker": try_killed_workers,
}


def table(found: dict[str, list[dict]]) -> list[list]:
    """Rows of the table: fault, tried, survived, largest and median number of steps lost; below a fault its phases."""
    rows = [["fault", "tried", "survived", "steps lost, most", "median"]]
    for name, tries in found.items():
        if "skipped" in tries[0]:
            rows.append([FAULTS[name], 0, tries[0]["skipped"], "", ""])
            continue
        groups = {FAULTS[name]: tries}
        for phase in sorted({t["phase"] for t in tries if "phase" in t}):
            groups[f"- {phase}"] = [t for t in tries if t["phase"] == phase]
        for label, group in groups.items():
            lost = [t["lost"] for t in group]
            rows.append([label, len(group), sum(t["survived"] for t in group), max(lost), statistics.median(lost)])
    return rows


if __name__ == "__main__":
    cli.define("kills", 50, "SIGKILLs of the trainer")
    cli.define("only", "", f"faults, separated by commas ({', '.join(FAULTS)}); empty: all")
    cli.define("quick", False, "a few tries of each, of a shorter run")
    cli.define("seed", 0, "determines the moments of the faults")
    cli.define("out", "", "JSON file for the table and every try; empty: only printed")
    cli.run(main, __doc__)
