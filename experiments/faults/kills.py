"""Training runs that get SIGKILL or SIGTERM at some moment from start to end. Used by `faults`."""

from __future__ import annotations

import signal
import subprocess
import time

import numpy as np

from dcgan_tf.console import Progress
from experiments.framework.processes import CHECKPOINT_EVERY, Workshop, kill, read_start_step, wait_for, wait_until

REFERENCE = "undisturbed"
# Kind of write at which a run is halted -> pattern of the temporary file below its folder.
AIMED = {"packing": "packed/.*.{pid}.tmp", "checkpoint": "run/checkpoints/.*.{pid}.tmp"}
AIMED |= {"samples": "run/samples/.*.{pid}.tmp"}
# The kills of one run: at writes, at any time since the process began, at any step.
LIVES = ("packing", "time", "step", "checkpoint", "time", "step", "samples", "step")


def try_kills(workshop: Workshop, count: int, rng: np.random.Generator, life: float) -> list[dict]:
    """Kill a run several times, then let it continue to its end."""
    tries = []
    with Progress("kill", count, "kills") as shown:
        for n in range(2 * count):  # a run that ended before it was killed does not count
            if len(tries) == count:
                break
            run = f"killed-{n}"
            for m in range(min(len(LIVES), count - len(tries))):
                how = LIVES[m] if count >= len(LIVES) else LIVES[(3 * n + 3 * m) % len(LIVES)]
                process = workshop.start(run)
                hit = _catch(workshop, run, process, how, rng, life)
                # Read its files only when it is dead, as it may still write.
                end = kill(process)
                _note_continuation(workshop, run, tries, read_start_step(end))
                if not hit or end.code != -signal.SIGKILL:
                    break
                tries.append({"run": run, "aimed": how, "phase": workshop.phase(run, process)})
                tries[-1] |= {"step": workshop.steps_done(run), "checkpoint": workshop.checkpoint(run)}
                tries[-1]["lost"] = workshop.lost_steps(run, process)
                shown.advance()
            finish(workshop, run, tries)
    return tries


def _catch(
    workshop: Workshop, run: str, process: subprocess.Popen, how: str, rng: np.random.Generator, life: float
) -> bool:
    """Wait for the moment to stop a process; False if it ended before."""
    if how == "time":
        time.sleep(rng.uniform(0, life))
        return process.poll() is None
    first = workshop.checkpoint(run)
    wanted = first + int(rng.integers(1, max(2, min(2 * CHECKPOINT_EVERY, workshop.steps - first))))
    if how == "packing":
        wanted = 0
    pattern = AIMED[how].format(pid=process.pid) if how in AIMED else ""

    def now() -> bool:
        far = not wanted or (workshop.has_trained(run, process) and workshop.steps_done(run) >= wanted)
        return far and (not pattern or any((workshop.folder / run).glob(pattern)))

    hit = wait_until(process, now)
    if hit and how == "step":  # it was halted right after a line of metrics.csv: let it continue to anywhere in a step
        process.send_signal(signal.SIGCONT)
        time.sleep(rng.uniform(0, 0.1))
    return hit and process.poll() is None


def _note_continuation(workshop: Workshop, run: str, tries: list[dict], step: int | None) -> None:
    """Record with the last try of this run the checkpoint from which it continued."""
    if step is not None and tries and tries[-1]["run"] == run:
        tries[-1]["went_on_from"] = step


def finish(workshop: Workshop, run: str, tries: list[dict], *more: str, env: dict[str, str] | None = None) -> None:
    """Continue a run to its end, and record with all its tries whether it survived.

    It survived if it continued from the last checkpoint, lost only steps since then, and ended as the undisturbed run.
    """
    end = workshop.train(run, *more, env=env)
    _note_continuation(workshop, run, tries, read_start_step(end))
    differ = workshop.find_differences(run, REFERENCE) if end.code == 0 else [end.err.strip()[-300:]]
    for each in tries:
        if each["run"] == run:
            each["survived"] = not differ and each["lost"] <= CHECKPOINT_EVERY
            each["survived"] &= each.get("went_on_from") in (None, each.get("checkpoint", each.get("went_on_from")))
            each["differences"] = differ[:5]
    if not differ:
        workshop.remove(run)


def try_sigterms(workshop: Workshop, count: int, rng: np.random.Generator, life: float) -> list[dict]:
    """Send SIGTERM as a scheduler does: a run that trains ends its step, saves, and says so by its code and a sentence.

    Before the first step and after the last there is nothing to save, and the process ends at once.
    """
    tries = []
    with Progress("term", count, "signals") as shown:
        for n in range(2 * count):
            if len(tries) == count:
                break
            run = f"term-{n}"
            process = workshop.start(run)
            # Two of three at a step, the third at any time since the process began.
            hit = _catch(workshop, run, process, "time" if n % 3 == 2 else "step", rng, life)
            if hit:
                process.send_signal(signal.SIGTERM)
            end = wait_for(process)
            if not hit or end.code == 0:  # it had finished
                workshop.remove(run)
                continue
            saved = end.code == 128 + signal.SIGTERM and "Stopped and saved. To continue: " in end.out
            phase = "while it trains" if workshop.has_trained(run, process) else "before the first step"
            if not saved and workshop.checkpoint(run) == workshop.steps:
                phase = "after the last step"
            tries.append({"run": run, "phase": phase, "code": end.code, "step": workshop.steps_done(run)})
            tries[-1] |= {"checkpoint": workshop.checkpoint(run), "lost": workshop.lost_steps(run, process)}
            finish(workshop, run, tries)
            tries[-1]["survived"] &= tries[-1]["lost"] == 0 and not end.err
            tries[-1]["survived"] &= saved or (end.code == -signal.SIGTERM and phase != "while it trains")
            shown.advance()
    return tries
