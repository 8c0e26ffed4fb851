"""What happens to a training run that is killed, told to stop, out of disk, read-only, out of time or not alone.

    python -m experiments.faults                       # 50 kills and the rest: about half an hour
    python -m experiments.faults --only=kill --kills=5
    python -m experiments.faults --quick               # a few of each, minutes

Every fault is a real one of real processes (`python -m dcgan_tf.train`, small networks). It is survived if the same
command then ends as the undisturbed run: weights, optimisers, metrics and sample grids bit for bit, nothing half left
over. Prints the table and writes it, with every try, as JSON. The exit code is 1 if a fault was not survived.
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

from dcgan_tf import flags
from dcgan_tf.console import progress, say
from dcgan_tf.errors import UserError
from experiments.faults_runs import Workshop, ended, kill, one_sentence, two_workers, wait_until

FLAGS = absl_flags.FLAGS
REFERENCE = "undisturbed"
# Where a run is caught at a kind of write: the pattern of the temporary file below its folder.
AIMED = {"packing": "packed/.*.tmp", "checkpoint": "run/checkpoints/.*.tmp", "samples": "run/samples/.*.tmp"}
LIVES = 8  # kills that one run goes through
# Every look at the clock is ten seconds earlier than the one before.
BACKWARDS = """
import itertools, time
_now, _looks = time.time(), itertools.count()
time.time = lambda: _now - 10.0 * next(_looks)
"""


def kills(workshop: Workshop, count: int, rng: np.random.Generator, life: float) -> list[dict]:
    """SIGKILL at moments spread over a whole life, a third of them aimed at a kind of write."""
    tries = []
    run, alive = "killed-0", 0
    for n in progress(range(count), "kill", unit="kills"):
        before = workshop.checkpoint(run)
        process = workshop.start(run)
        aim = list(AIMED.values())[n % 9 // 3] if n % 3 == 2 else ""
        if aim:
            skip = workshop.steps_done(run) + int(rng.integers(1, 15)) if "samples" in aim or "check" in aim else 0
            folder = workshop.folder / run
            hit = wait_until(process, lambda: workshop.steps_done(run) >= skip and any(folder.glob(aim)))  # noqa: B023
        else:
            time.sleep(rng.uniform(0, life))
            hit = True
        done = process.poll() is not None
        kill(process)
        # The step that was being computed, or computed and not yet written, is one of those to do again.
        lost = max(0, workshop.steps_done(run) - workshop.checkpoint(run))
        tries.append({"run": run, "phase": "done" if done else workshop.phase(run), "aimed": aim, "lost": lost})
        tries[-1] |= {"hit": hit, "checkpoint": [before, workshop.checkpoint(run)]}
        alive += 1
        if alive == LIVES or n == count - 1 or done:
            finish(workshop, run, tries)
            run, alive = f"killed-{n + 1}", 0
    return tries


def finish(workshop: Workshop, run: str, tries: list[dict], *more: str) -> None:
    """Go on with a run to its end, and note with all its tries whether it ended as the undisturbed one."""
    end = workshop.train(run, *more)
    differ = workshop.differences(run, REFERENCE) if end.code == 0 else [end.err.strip()[-300:]]
    for each in tries:
        if each["run"] == run:
            each["survived"], each["differences"] = not differ, differ[:5]
    if not differ:
        workshop.remove(run)


def terms(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """SIGTERM while it trains, as a scheduler sends it: the step is ended, saved, and the code says so."""
    tries = []
    for n in progress(range(count), "term", unit="signals"):
        run = f"term-{n}"
        process, wanted = workshop.start(run), int(rng.integers(1, workshop.steps - 5))
        while workshop.steps_done(run) < wanted and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        end = ended(process)
        lost = workshop.steps_done(run) - workshop.checkpoint(run)
        tries.append({"run": run, "code": end.code, "lost": lost})
        finish(workshop, run, tries)
        tries[-1]["survived"] &= end.code in (0, 128 + signal.SIGTERM) and lost == 0
    return tries


def mounted(path: Path, *options: str) -> bool:
    """Mount at `path`; False where this user may not."""
    path.mkdir(parents=True, exist_ok=True)
    return subprocess.run(["mount", *options, str(path)], capture_output=True).returncode == 0


def disks(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """A file system (tmpfs) that is full sooner or later; then there is room, and the same command goes on."""
    whole = sum(p.stat().st_size for p in (workshop.folder / REFERENCE).rglob("*") if p.is_file())
    tries = []
    for n in progress(range(count), "disk", unit="sizes"):
        run = f"disk-{n}"
        size = int(whole * (n + rng.uniform(0.1, 0.9)) / count)
        if not mounted(workshop.folder / run, "-t", "tmpfs", "-o", f"size={max(4096, size)}", "tmpfs"):
            return [{"skipped": "file systems may not be mounted here (root is needed)"}]
        try:
            end = workshop.train(run)
            lost = max(0, workshop.steps_done(run) - workshop.checkpoint(run))
            tries.append({"run": run, "size": size, "said": end.err.strip()[-200:], "code": end.code, "lost": lost})
            mounted(workshop.folder / run, "-o", f"remount,size={4 * whole}")
            finish(workshop, run, tries)
            tries[-1]["survived"] &= end.code == 0 or one_sentence(end)
        finally:
            subprocess.run(["umount", str(workshop.folder / run)], capture_output=True)
    return tries


def read_only(workshop: Workshop, _count: int, _rng: np.random.Generator) -> list[dict]:
    """The run's folder, then that of the pack, on a file system that may only be read."""
    tries = []
    for n, place in enumerate(("run", "packed")):
        run = f"read-only-{n}"
        folder = workshop.folder / run / place
        if not mounted(folder, "-t", "tmpfs", "-o", "ro,size=64m", "tmpfs"):
            return [{"skipped": "file systems may not be mounted here (root is needed)"}]
        end = workshop.train(run)
        tries.append({"run": run, "said": end.err.strip()[-200:], "code": end.code, "lost": 0})
        subprocess.run(["umount", str(folder)], capture_output=True)
        finish(workshop, run, tries)
        tries[-1]["survived"] &= one_sentence(end)
    return tries


def clocks(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """The clock runs backwards, is killed somewhere, and what it wrote bears times of the future."""
    (workshop.folder / "clock").mkdir(exist_ok=True)
    (workshop.folder / "clock" / "sitecustomize.py").write_text(BACKWARDS)
    path = {"PYTHONPATH": f"{workshop.folder / 'clock'}:{Path(__file__).parents[1]}"}
    tries = []
    for n in progress(range(count), "clock", unit="runs"):
        run = f"clock-{n}"
        process, wanted = workshop.start(run, env=path), int(rng.integers(12, workshop.steps - 5))
        while workshop.steps_done(run) < wanted and process.poll() is None:
            time.sleep(0.01)
        kill(process)
        # The oldest checkpoint has the latest time: it is not the newest all the same.
        for age, file in enumerate(sorted((workshop.folder / run / "run").rglob("*.*"))):
            subprocess.run(["touch", "-d", f"now + {1000 - age} hours", str(file)], check=True)
        lost = max(0, workshop.steps_done(run) - workshop.checkpoint(run))
        tries.append({"run": run, "lost": lost})
        finish(workshop, run, tries)
    return tries


def twos(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """Two of the same command at once: one trains, the other says why not."""
    tries = []
    for n in progress(range(count), "two", unit="pairs"):
        run = f"two-{n}"
        first = workshop.start(run)
        time.sleep(rng.uniform(0, 0.5))
        ends = [ended(process) for process in (first, workshop.start(run))]
        refused = [end for end in ends if one_sentence(end) and "in use by another process" in end.err]
        # The second may have come when the first was done already: then it has nothing to do.
        tries.append({"run": run, "codes": [end.code for end in ends], "lost": 0})
        finish(workshop, run, tries)
        tries[-1]["survived"] &= any(end.code == 0 for end in ends) and all(e.code == 0 or e in refused for e in ends)
    return tries


def workers(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """SIGKILL of one of two workers: the other ends with a sentence, and both go on from the last checkpoint."""

    def both(run: str) -> list[subprocess.Popen]:
        return [workshop.start(run, env=env) for env in two_workers()]

    def finished(run: str) -> list:
        return [ended(process) for process in both(run)]

    finished("two-workers")
    tries = []
    for n in progress(range(count), "worker", unit="kills"):
        run, victim, wanted = f"worker-{n}", n % 2, int(rng.integers(3, workshop.steps - 10))
        pair = both(run)
        while workshop.steps_done(run) < wanted and pair[0].poll() is None:
            time.sleep(0.01)
        kill(pair[victim])
        since = time.monotonic()
        end = ended(pair[1 - victim])
        lost = max(0, workshop.steps_done(run) - workshop.checkpoint(run))
        tries.append({"run": run, "said": end.err.strip()[-200:], "seconds": time.monotonic() - since, "lost": lost})
        again = finished(run)
        differ = workshop.differences(run, "two-workers") if all(e.code == 0 for e in again) else [again[0].err[-300:]]
        tries[-1] |= {"survived": not differ and one_sentence(end), "differences": differ[:5]}
    return tries


FAULTS = {
    "kill": "SIGKILL",
    "term": "SIGTERM, as a scheduler's preemption",
    "disk": "disk full",
    "read_only": "folder of the run, of the pack, read-only",
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
    counts = {"kill": min(3, FLAGS.kills) if few else FLAGS.kills, "term": 1 if few else 10, "disk": 2 if few else 12}
    counts |= {"read_only": 2, "clock": 1 if few else 3, "two": 1 if few else 5, "worker": 1 if few else 4}
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        workshop = Workshop(Path(folder), 120 if few else 600, 30 if few else 60)
        started = time.monotonic()
        end = workshop.train(REFERENCE)
        life = time.monotonic() - started
        if end.code:
            raise UserError(f"the undisturbed run failed: {end.err.strip()}")
        found = {}
        for name in names:
            rng = np.random.default_rng([FLAGS.seed, list(FAULTS).index(name)])
            more = (life,) if name == "kill" else ()
            found[name] = MAKE[name](workshop, counts[name], rng, *more)
    report = {"seed": FLAGS.seed, "quick": few, "steps": workshop.steps, "tries": found, "table": table(found)}
    if FLAGS.out:
        from dcgan_tf.files import write_text

        write_text(Path(FLAGS.out), json.dumps(report, indent=1) + "\n")
    for row in report["table"]:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    failed = [t for tries in found.values() for t in tries if "skipped" not in t and not t["survived"]]
    for each in failed:
        say(f"not survived: {json.dumps(each)}")
    sys.exit(1 if failed else 0)


MAKE = {
    "kill": kills,
    "term": terms,
    "disk": disks,
    "read_only": read_only,
    "clock": clocks,
    "two": twos,
    "worker": workers,
}


def table(found: dict[str, list[dict]]) -> list[list]:
    """Fault, times tried, survived, steps lost: most and median; kills by what they hit."""
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
    flags.define("kills", 50, "SIGKILLs of the trainer")
    flags.define("only", "", f"faults with commas between ({', '.join(FAULTS)}); empty: all")
    flags.define("quick", False, "a few tries of each, of a shorter run")
    flags.define("seed", 0, "fixes the moments")
    flags.define("out", "", "JSON file for the table and every try; empty: only printed")
    flags.run(main, __doc__)
