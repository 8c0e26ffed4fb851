"""Signals during training."""

import signal
import threading

import pytest

from dcgan_tf.signals import STOPPING, StopRequest, exit_on_interrupt


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_recorded_and_the_handlers_are_restored(number):
    before = [signal.getsignal(each) for each in STOPPING]
    with StopRequest() as stop:
        assert stop.signal is None
        signal.raise_signal(number)
        assert stop.signal == number
    assert [signal.getsignal(each) for each in STOPPING] == before


def test_a_closed_terminal_is_ignored_where_nohup_had_it_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.signal is None and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_after_another_signal_interrupts(first):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_second_sigterm_does_not_interrupt():
    # Cluster schedulers send it more than once; the step is finished and saved nevertheless.
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM


def test_in_another_thread_the_handlers_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def body():
        with StopRequest() as stop:
            seen.append((stop.signal, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


def test_ctrl_c_ends_at_once_within_the_block_and_is_restored_after_it():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with exit_on_interrupt():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_a_stop_request_records_does_not_end_the_process():
    with StopRequest() as stop:
        with exit_on_interrupt():
            signal.raise_signal(signal.SIGINT)
        assert stop.signal == signal.SIGINT
