"""Where a server of the loopback listens: a Unix socket, or a TCP port that no other machine can reach."""

import contextlib
import fcntl
import os
import re
import socket
import stat
from collections.abc import Iterator

from edgediff.errors import ConfigError, first_line


def check_address(address: str) -> str | int:
    """Return the path of a Unix socket, or a TCP port; `ConfigError` if the address is neither."""
    if address.startswith("unix:") and len(address) > 5:
        return address[5:]
    port = re.fullmatch(r"(?:127\.0\.0\.1|localhost):([0-9]{1,5})", address)
    if not port or int(port[1]) > 65535:
        raise ConfigError(f"listen: {address!r} is not unix:PATH, 127.0.0.1:PORT or localhost:PORT")
    return int(port[1])


@contextlib.contextmanager
def listening(place: str | int) -> Iterator[tuple[socket.socket, str]]:
    """Open a socket at a path or port, 0 for any port; yield it and its address. In the end, the path is removed."""
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setblocking(False)
        try:
            address = _bind_path(server, place) if isinstance(place, str) else _bind_port(server, place)
        except OSError as error:
            raise ConfigError(f"listen: {place} cannot be opened ({first_line(error)})") from None
        made = os.lstat(place) if isinstance(place, str) else None
        try:
            yield server, address
        finally:
            with contextlib.suppress(OSError):
                if made and os.path.samestat(made, os.lstat(place)):  # what is there now may be another's
                    os.unlink(place)


def _bind_port(server: socket.socket, port: int) -> str:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return f"127.0.0.1:{server.getsockname()[1]}"


def _bind_path(server: socket.socket, path: str) -> str:
    """Make a Unix socket. Of all that may be in its place, only the socket of a dead server goes."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # two that start at once would remove each other's socket
        if os.path.lexists(path):
            _require_dead(path)
            os.unlink(path)
        server.bind(path)
        server.listen()
    finally:
        os.close(folder)
    return f"unix:{path}"


def _require_dead(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise ConfigError(f"listen: {path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise ConfigError(f"listen: {path} exists and may be in use ({first_line(error)})") from None
    raise ConfigError(f"listen: {path} is in use by another server")
