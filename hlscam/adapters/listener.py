"""The listening sockets, opened before anything else is done, or handed over by systemd.

A player that is refused a connection gives up within seconds (hls.js after three); one that is accepted and waits does
not. So the sockets listen as soon as the configuration is read: whoever asks while the books are put in order waits in
the kernel's queue. Where systemd keeps the socket (`deploy/hlscam.socket`, sd_listen_fds(3)) it listens even while
hlscam is down, and a restart refuses nobody at all.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from hlscam.errors import ConfigError

_FIRST_FD = 3
_BACKLOG = 1024


def open_listeners(host: str, port: int, environ: Mapping[str, str]) -> list[socket.socket]:
    """Sockets that listen on `host`, all its addresses; or those that systemd gives. Blocks. Raises ConfigError."""
    given = _given(environ)
    if given:
        return given
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigError(f"server.host: {host!r} is no address of this machine: {error.strerror}") from None
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listeners.append(_listen(family, kind, protocol, _same_port(address, listeners)))
    except OSError as error:
        for each in listeners:
            each.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="another program (another hlscam?) may use the port: set server.port or --port",
        ) from None
    return listeners


def _given(environ: Mapping[str, str]) -> list[socket.socket]:
    """The sockets that systemd has opened for this very process."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    listeners = [socket.socket(fileno=_FIRST_FD + number) for number in range(count)]
    for each in listeners:
        each.setblocking(False)
        each.set_inheritable(False)
    return listeners


def _same_port(address: tuple[object, ...], listeners: list[socket.socket]) -> tuple[object, ...]:
    """Port 0 takes any free one, but the same for all addresses of a host."""
    port = listeners[0].getsockname()[1] if listeners else address[1]
    return (address[0], port, *address[2:])


def _listen(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
