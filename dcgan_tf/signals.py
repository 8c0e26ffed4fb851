"""Handling of Ctrl-C, SIGTERM and SIGHUP: a run finishes its step, saves and says how to continue."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))  # not on Windows


class StopRequest:
    """Records SIGINT, SIGTERM and SIGHUP in `signal` within the block, instead of ending the process.

    SIGHUP comes when a terminal is closed; started by `nohup`, the process goes on ignoring it. A second Ctrl-C
    interrupts at once. Python handles signals in the main thread only: in another one nothing is recorded.
    """

    def __init__(self):
        self.signal: int | None = None
        self._before: dict[int, Any] = {}  # signal -> its handler

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGINT, signal.SIGTERM):
                    continue
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
    """Let Ctrl-C end the process without a message within the block, unless a `StopRequest` records it.

    This is for calls of TensorFlow that wait for other machines: Python handles no signal before they return.
    TensorFlow installs its own SIGTERM handler in such calls; the earlier one is restored after the block.
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
