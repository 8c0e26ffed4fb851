"""Worker processes that ignore Ctrl-C and end with their parent."""

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
    """Yield `submit(function, *arguments)` of a pool with one process per core, or one per task if those are fewer.

    When the block ends, tasks that have not started are cancelled and running ones are awaited.
    """
    # Spawned, not forked: a forked copy of a process that runs TensorFlow may hang.
    workers = ProcessPoolExecutor(
        max_workers=min(os.cpu_count() or 1, tasks),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
    )

    def submit(function: Callable, *arguments) -> Future:
        with _hide_main_module():
            return workers.submit(function, *arguments)

    try:
        yield submit
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _hide_main_module() -> Iterator[None]:
    """Keep spawned workers from running the caller's script again.

    A script without an `if __name__ == "__main__"` guard would otherwise train in every worker too. The functions
    submitted here need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, which then ends its workers, and end with the parent even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "called outside a worker"
    parent.join()
    os._exit(1)
