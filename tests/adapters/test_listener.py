"""Listening: at once, on all addresses, and on what systemd hands over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from hlscam.adapters.listener import open_listeners
from hlscam.errors import ConfigError
from tests.rig.paths import REPOSITORY

_ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
from hlscam.adapters.listener import open_listeners
listeners = open_listeners("127.0.0.1", 1, os.environ)
print(*(each.getsockname()[1] for each in listeners), os.get_inheritable(3))
"""


def test_whoever_connects_waits_in_the_queue() -> None:
    (listener,) = open_listeners("127.0.0.1", 0, {})
    with listener, socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"anybody there?")  # nobody has accepted yet, and nobody refuses
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_told() -> None:
    (listener,) = open_listeners("127.0.0.1", 0, {})
    with (
        listener,
        pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use") as told,
    ):
        open_listeners("127.0.0.1", listener.getsockname()[1], {})
    assert "--port" in told.value.hint


def test_a_name_that_is_no_address_is_told() -> None:
    with pytest.raises(ConfigError, match=r"server\.host: 'no\.such\.host\.invalid' is no address of this machine"):
        open_listeners("no.such.host.invalid", 0, {})


def test_all_addresses_of_a_name_have_one_port() -> None:
    listeners = open_listeners("localhost", 0, {})
    assert len({each.getsockname()[1] for each in listeners}) == 1
    for each in listeners:
        each.close()


def test_sockets_of_systemd_are_taken_in_place_of_our_own() -> None:
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        kept.listen()
        argv = [sys.executable, "-c", _ACTIVATED, str(kept.fileno())]
        done = subprocess.run(
            argv, cwd=REPOSITORY, pass_fds=[kept.fileno()], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.split() == [str(kept.getsockname()[1]), "False"]


def test_sockets_for_another_process_are_none_of_ours() -> None:
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    (listener,) = open_listeners("127.0.0.1", 0, environ)
    with listener:
        assert listener.fileno() != 3
