"""Workers that wait for each other: threads at ports of this machine, as processes on several would be."""

import contextlib
import socket
import threading
import time

import pytest

from dcgan_tf.distributed import rendezvous
from dcgan_tf.errors import UserError


@pytest.fixture
def addresses():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return found


class Waiting(threading.Thread):
    """A worker that waits; `outcome` is "all there", or what it said."""

    def __init__(self, index, addresses, patience=20.0):
        super().__init__(daemon=True)
        self.index, self.addresses, self.patience, self.outcome = index, addresses, patience, None
        self.start()

    def run(self):
        try:
            rendezvous.wait_for_all(self.index, self.addresses, self.patience)
            self.outcome = "all there"
        except UserError as error:
            self.outcome = str(error)

    def ended(self):
        self.join(30)
        return self.outcome


def connect(address):
    """As soon as somebody listens there."""
    host, _, port = address.rpartition(":")
    give_up = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((host, int(port)), 5)
        except OSError:
            assert time.monotonic() < give_up
            time.sleep(0.02)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_nobody_goes_before_all_are_there_whatever_the_order(addresses, order):
    first = [Waiting(index, addresses) for index in order[:2]]
    time.sleep(1.2)
    assert [worker.outcome for worker in first] == [None, None]
    last = Waiting(order[2], addresses)
    assert [worker.ended() for worker in [*first, last]] == ["all there"] * 3
    socket.create_server(("127.0.0.1", int(addresses[0].rpartition(":")[2]))).close()  # TensorFlow's turn


def test_one_worker_waits_for_nobody(capsys, monkeypatch):
    monkeypatch.setattr(rendezvous, "_gather", None)  # calling it would be an error
    rendezvous.wait_for_all(0, ["127.0.0.1:1"])
    assert capsys.readouterr().out == ""


def test_the_chief_names_who_did_not_come(addresses):
    chief = Waiting(0, addresses, patience=2)
    Waiting(1, addresses, patience=4)  # it must not give up first
    assert f"worker 2 ({addresses[2]}) did not connect in time" in chief.ended()


def test_without_the_chief(addresses):
    assert f"not all workers connected to the chief ({addresses[0]}) in time" in Waiting(1, addresses, 1).ended()
    nowhere = ["no-such-host.invalid:1", *addresses[1:]]
    assert "not all workers connected" in Waiting(1, nowhere, 1).ended()


def test_two_workers_of_one_number(addresses):
    chief, first = Waiting(0, addresses), Waiting(1, addresses)
    time.sleep(1.2)
    assert "there is another worker 1" in Waiting(1, addresses).ended()
    second = Waiting(2, addresses)
    assert [worker.ended() for worker in (chief, first, second)] == ["all there"] * 3


def test_a_worker_that_dies_while_it_waits_is_waited_for_again(addresses):
    chief = Waiting(0, addresses)
    with connect(addresses[0]) as dying:
        dying.sendall(b"dcgan_tf worker      1")
        time.sleep(1)
    other = Waiting(2, addresses)
    time.sleep(2)
    assert (chief.outcome, other.outcome) == (None, None)
    assert [worker.ended() for worker in (chief, other, Waiting(1, addresses))] == ["all there"] * 3


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"dcgan_tf worker      0", b"dcgan_tf worker     -1", b"\xff" * 22]
)
def test_strangers_are_sent_away(addresses, said):
    chief = Waiting(0, addresses[:2])
    with connect(addresses[0]) as stranger:
        stranger.sendall(said)
        stranger.shutdown(socket.SHUT_WR)
        stranger.settimeout(10)
        with contextlib.suppress(ConnectionResetError):  # it had not read all that was said
            assert stranger.recv(1) == b""
    assert chief.outcome is None
    assert [worker.ended() for worker in (chief, Waiting(1, addresses[:2]))] == ["all there"] * 2


def test_who_is_no_chief_is_asked_again(addresses):
    # Such as the server of a run that is about to end: it says something of its own.
    with socket.create_server(("127.0.0.1", int(addresses[0].rpartition(":")[2]))) as server:
        worker = Waiting(1, addresses[:2])
        for answer in (b"\x00\x00\x12\x04", b""):
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)
    assert [w.ended() for w in (worker, Waiting(0, addresses[:2]))] == ["all there"] * 2


def test_a_port_in_use_is_a_sentence(addresses):
    with socket.create_server(("127.0.0.1", int(addresses[0].rpartition(":")[2]))):
        assert f"cannot listen at {addresses[0]}: Address already in use" in Waiting(0, addresses).ended()
