"""Ctrl-C and SIGTERM: finish the step, save, and say how to continue."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class StopRequest:
    """Within the block, SIGINT and SIGTERM are recorded in `signal` instead of ending the process.

    A second Ctrl-C interrupts at once. Outside the main thread Python hands out no signals, and nothing is noted.
    """

    def __init__(self):
        self.signal: int | None = None
        self._before: dict[int, Any] = {}  # signal -> its handler

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, _frame) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


@contextlib.contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """Within the block, Ctrl-C ends the process without a message, unless a `StopRequest` records it.

    For calls of TensorFlow that wait for other machines: Python hears of no signal before they return. Behind the
    block SIGTERM, which TensorFlow takes for itself where it meets them, is what it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    if before[0] is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before):
            signal.signal(number, handler)
