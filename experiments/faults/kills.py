"""A training run that is killed (SIGKILL) or told to stop (SIGTERM), at moments of its whole life. For `faults`."""

from __future__ import annotations

import signal
import subprocess
import time

import numpy as np

from dcgan_tf.console import Progress
from experiments.framework.processes import CHECKPOINT_EVERY, Workshop, continued_at, ended, kill, wait_until

REFERENCE = "undisturbed"
# Where a run is caught at a kind of write: the pattern of the temporary file below its folder.
AIMED = {"packing": "packed/.*.{pid}.tmp", "checkpoint": "run/checkpoints/.*.{pid}.tmp"}
AIMED |= {"samples": "run/samples/.*.{pid}.tmp"}
# What one run goes through: aimed at writes, at any time since the process began, at any step.
LIVES = ("packing", "time", "step", "checkpoint", "time", "step", "samples", "step")


def kills(workshop: Workshop, count: int, rng: np.random.Generator, life: float) -> list[dict]:
    """SIGKILL; several in the life of one run, which then goes on to its end."""
    tries = []
    with Progress("kill", count, "kills") as shown:
        for n in range(2 * count):  # a run that ended before it was hit is none of the tries
            if len(tries) == count:
                break
            run = f"killed-{n}"
            for m in range(min(len(LIVES), count - len(tries))):
                how = LIVES[m] if count >= len(LIVES) else LIVES[(3 * n + 3 * m) % len(LIVES)]
                process = workshop.start(run)
                hit = _caught(workshop, run, process, how, rng, life)
                # Nothing is read before it is dead: it may still write.
                end = kill(process)
                _note_continuation(workshop, run, tries, continued_at(end))
                if not hit or end.code != -signal.SIGKILL:
                    break
                tries.append({"run": run, "aimed": how, "phase": workshop.phase(run, process)})
                tries[-1] |= {"step": workshop.steps_done(run), "checkpoint": workshop.checkpoint(run)}
                tries[-1]["lost"] = workshop.lost(run, process)
                shown.advance()
            finish(workshop, run, tries)
    return tries


def _caught(
    workshop: Workshop, run: str, process: subprocess.Popen, how: str, rng: np.random.Generator, life: float
) -> bool:
    """Wait for the moment to kill a process; False if it ended before."""
    if how == "time":
        time.sleep(rng.uniform(0, life))
        return process.poll() is None
    first = workshop.checkpoint(run)
    wanted = first + int(rng.integers(1, max(2, min(2 * CHECKPOINT_EVERY, workshop.steps - first))))
    if how == "packing":
        wanted = 0
    pattern = AIMED[how].format(pid=process.pid) if how in AIMED else ""

    def now() -> bool:
        far = not wanted or (workshop.trained(run, process) and workshop.steps_done(run) >= wanted)
        return far and (not pattern or any((workshop.folder / run).glob(pattern)))

    hit = wait_until(process, now)
    if hit and how == "step":  # it was halted just behind a line of metrics.csv: go on to anywhere in a step
        process.send_signal(signal.SIGCONT)
        time.sleep(rng.uniform(0, 0.1))
    return hit and process.poll() is None


def _note_continuation(workshop: Workshop, run: str, tries: list[dict], step: int | None) -> None:
    """With the last try of this run: the checkpoint that was in fact gone on from."""
    if step is not None and tries and tries[-1]["run"] == run:
        tries[-1]["went_on_from"] = step


def finish(workshop: Workshop, run: str, tries: list[dict], *more: str, env: dict[str, str] | None = None) -> None:
    """Go on with a run to its end, and note with all its tries whether it was survived.

    That is: it goes on from the last checkpoint, at most the steps since are lost, and it ends as the undisturbed run.
    """
    end = workshop.train(run, *more, env=env)
    _note_continuation(workshop, run, tries, continued_at(end))
    differ = workshop.differences(run, REFERENCE) if end.code == 0 else [end.err.strip()[-300:]]
    for each in tries:
        if each["run"] == run:
            each["survived"] = not differ and each["lost"] <= CHECKPOINT_EVERY
            each["survived"] &= each.get("went_on_from") in (None, each.get("checkpoint", each.get("went_on_from")))
            each["differences"] = differ[:5]
    if not differ:
        workshop.remove(run)


def terms(workshop: Workshop, count: int, rng: np.random.Generator, life: float) -> list[dict]:
    """SIGTERM, as a scheduler sends it: while it trains the step is ended, saved, and code and sentence say so.

    Before the first step and after the last there is nothing to save: it ends at once.
    """
    tries = []
    with Progress("term", count, "signals") as shown:
        for n in range(2 * count):
            if len(tries) == count:
                break
            run = f"term-{n}"
            process = workshop.start(run)
            # Two of three at a step, the third at any time since the process began.
            hit = _caught(workshop, run, process, "time" if n % 3 == 2 else "step", rng, life)
            if hit:
                process.send_signal(signal.SIGTERM)
            end = ended(process)
            if not hit or end.code == 0:  # it had done all
                workshop.remove(run)
                continue
            saved = end.code == 128 + signal.SIGTERM and "Stopped and saved. To continue: " in end.out
            phase = "while it trains" if workshop.trained(run, process) else "before the first step"
            if not saved and workshop.checkpoint(run) == workshop.steps:
                phase = "after the last step"
            tries.append({"run": run, "phase": phase, "code": end.code, "step": workshop.steps_done(run)})
            tries[-1] |= {"checkpoint": workshop.checkpoint(run), "lost": workshop.lost(run, process)}
            finish(workshop, run, tries)
            tries[-1]["survived"] &= tries[-1]["lost"] == 0 and not end.err
            tries[-1]["survived"] &= saved or (end.code == -signal.SIGTERM and phase != "while it trains")
            shown.advance()
    return tries
