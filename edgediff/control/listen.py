"""Where a server listens: a Unix socket for its owner only, or a TCP port that no other machine can reach."""

import contextlib
import errno
import os
import re
import socket
import stat
import time
from collections.abc import Iterator

from edgediff.errors import ConfigError, first_line

LOCK_TRIES, LOCK_RETRY_S = 20, 0.05


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
    """Listen at a path or port, 0 for any port; yield the socket and its address. In the end, the path is removed.

    The socket may be closed earlier. The path is removed while another one still listens there: to a successor it is
    in use until it is gone, and its inode is no other file's.
    """
    path = place if isinstance(place, str) else ""
    try:
        server = _open_path(path) if path else socket.create_server(("127.0.0.1", place))
        made = os.lstat(path) if path else None
    except OSError as error:
        raise ConfigError(f"listen: {place} cannot be opened ({first_line(error)})") from None
    with server:
        try:
            with server.dup() as given:
                yield given, f"unix:{path}" if path else f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            if made:
                _remove(path, made)


def _open_path(path: str) -> socket.socket:
    """Make a Unix socket. Of all that may be in its place, only the socket of a dead server goes."""
    with _alone(os.path.dirname(path) or "."):  # between `bind` and `listen`, a socket looks dead to others
        if os.path.lexists(path):
            _require_dead(path)
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)  # before the file exists: there is no moment at which others can connect
        try:
            server.bind(path)
        finally:
            os.umask(umask)
        server.listen()
    return server


def _remove(path: str, made: os.stat_result) -> None:
    """Remove a socket, but not what another has put in its place."""
    with _alone(os.path.dirname(path) or "."), contextlib.suppress(OSError):
        if os.path.samestat(made, os.lstat(path)):
            os.unlink(path)


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Let servers that start or end in a folder come one after another; go on where another program locks it."""
    import fcntl  # not on every system: here, so that `--help` works everywhere

    with contextlib.ExitStack() as lock:
        with contextlib.suppress(OSError):  # a folder may be written but not read; of one that is missing, `bind` tells
            descriptor = os.open(folder, os.O_RDONLY)
            lock.callback(os.close, descriptor)  # this ends the lock
            for _ in range(LOCK_TRIES):
                with contextlib.suppress(OSError):  # locked, or on a file system without locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(LOCK_RETRY_S)
        yield


def _require_dead(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise ConfigError(f"listen: {path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        if client.connect_ex(path) != errno.ECONNREFUSED:
            raise ConfigError(f"listen: {path} is in use by another server")
