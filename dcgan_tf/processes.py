"""Worker processes: spawned, deaf to Ctrl-C, and ended with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor


@contextlib.contextmanager
def worker_processes(tasks: int) -> Iterator[Callable[..., Future]]:
    """Yield `submit(function, *arguments)` of a process for each core, or for each task if there are fewer.

    What is still waiting when the block ends is given up; what runs is waited for.
    """
    # Spawned, not forked: a forked copy of a process that runs TensorFlow may hang.
    workers = ProcessPoolExecutor(
        max_workers=min(os.cpu_count() or 1, tasks),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
    )

    def submit(function: Callable, *arguments) -> Future:
        with _main_module_hidden():
            return workers.submit(function, *arguments)

    try:
        yield submit
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """A spawned worker first runs the caller's script again; one that trains without asking for its
    `__name__`, as in a notebook or a first try, would train in the worker too. Ours need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, which then ends its workers; end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "it runs in a worker"
    parent.join()
    os._exit(1)
