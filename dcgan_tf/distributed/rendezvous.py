"""The workers of a job wait for each other before TensorFlow starts.

TensorFlow's own wait handles no signal and does not name the missing worker. The chief listens at its address. The
others connect to it, send their index and wait for its signal to start.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from typing import cast

from dcgan_tf.console import say
from dcgan_tf.errors import UserError

PATIENCE = 3600.0  # seconds: machines of a cluster may start at different times
LOOK_EVERY = 0.5  # seconds
GO, TAKEN = b"+", b"-"  # TensorFlow's server, later at this address, never starts a message with these bytes


def wait_for_all(index: int, addresses: list[str], patience: float = PATIENCE) -> None:
    """Return when all workers are there.

    Args:
      index: this worker's place in `addresses`; the chief is 0.
      addresses: each worker's, host:port.
      patience: seconds.

    Raises:
      UserError: not all of them came; or the chief cannot listen at its port; or there are two of this worker.
    """
    if len(addresses) == 1:
        return
    say(f"worker {index} of {len(addresses)}: waits for the others ({', '.join(addresses)}) ...")
    give_up = time.monotonic() + patience
    if index:
        _go_to_chief(index, addresses, give_up)
    else:
        _gather(addresses, give_up)


def _hello(index: int) -> bytes:
    return b"dcgan_tf worker %6d" % index


def _gather(addresses: list[str], give_up: float) -> None:
    missing = dict(enumerate(addresses[1:], start=1))
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        try:
            server = stack.enter_context(_server(int(addresses[0].rpartition(":")[2])))
        except OSError as error:
            raise UserError(f"worker 0: it cannot listen at {addresses[0]}: {error.strerror}.") from None
        selector.register(server, selectors.EVENT_READ)
        while missing:
            if time.monotonic() > give_up:
                who = ", ".join(f"worker {n} ({address})" for n, address in missing.items())
                raise UserError(f"worker 0: {who} did not connect in time; start the same command on all workers.")
            for key, _ in selector.select(LOOK_EVERY):
                waiting = cast(socket.socket, key.fileobj)
                if waiting is not server:  # a worker that waits says nothing more: it is gone
                    selector.unregister(waiting)
                    waiting.close()
                    missing[key.data] = addresses[key.data]
                    continue
                connection = stack.enter_context(server.accept()[0])
                number = _read_index(connection, len(addresses))
                if number in missing:
                    del missing[number]
                    selector.register(connection, selectors.EVENT_READ, number)
                    continue
                with contextlib.suppress(OSError), connection:
                    connection.sendall(TAKEN if number else b"")
        for key in list(selector.get_map().values()):
            waiting = cast(socket.socket, key.fileobj)
            if waiting is not server:
                with contextlib.suppress(OSError):  # TensorFlow notices one that has died since
                    waiting.sendall(GO)
                    waiting.recv(1)  # it closes first, so that the port is free at once for TensorFlow's server


def _server(port: int) -> socket.socket:
    """Listen on all interfaces, as TensorFlow does: the address that others use may not belong to this machine."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # IPv6 may be switched off
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _read_index(connection: socket.socket, count: int) -> int | None:
    """Read the index of the worker that has connected; None if it is not a worker of this job."""
    connection.settimeout(5)
    with contextlib.suppress(OSError, ValueError):
        said = connection.recv(len(_hello(0)), socket.MSG_WAITALL)
        number = int(said[-6:])
        if said == _hello(number) and 1 <= number < count:
            return number
    return None


def _go_to_chief(index: int, addresses: list[str], give_up: float) -> None:
    host, _, port = addresses[0].rpartition(":")
    while time.monotonic() < give_up:
        # Refused, unreachable, or a name that is not known yet: the chief starts later.
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), 5) as connection:
            connection.sendall(_hello(index))
            reply = _reply(connection, give_up)
            if reply == GO:
                return
            if reply == TAKEN:
                raise UserError(f"worker {index}: there is another worker {index}; each needs an index of its own.")
        time.sleep(LOOK_EVERY)
    raise UserError(
        f"worker {index}: not all workers connected to the chief ({addresses[0]}) in time; start the same command "
        "on all workers."
    )


def _reply(connection: socket.socket, give_up: float) -> bytes:
    """Wait for the chief's answer: b"" if the chief is gone or time is up.

    Raises:
      OSError: the connection is lost.
    """
    connection.settimeout(LOOK_EVERY)
    while time.monotonic() < give_up:
        with contextlib.suppress(TimeoutError):
            return connection.recv(1)
    return b""
