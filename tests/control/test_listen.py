"""Where a server listens: for its owner only, never in the place of another."""

import contextlib
import fcntl
import os
import socket
import stat
import tempfile
import threading

import pytest

from edgediff.control.listen import check_address, listening
from edgediff.errors import ConfigError


def permissions(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.fixture
def umask_0():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def dead(tmp_path):
    """Return the path of a socket that nobody listens to."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    return str(tmp_path / "s")


@pytest.mark.usefixtures("umask_0")
def test_listening_makes_a_socket_that_only_its_owner_can_reach(tmp_path, monkeypatch):
    """Also just after `bind`, before anything else can be done about it."""
    path, seen, bind = str(tmp_path / "s"), [], socket.socket.bind

    def watched(self, address):
        bind(self, address)
        seen.append(permissions(path))

    monkeypatch.setattr(socket.socket, "bind", watched)
    with listening(path):
        assert seen == [0o600] and permissions(path) == 0o600
    assert os.umask(0) == 0


def test_listening_replaces_the_socket_of_a_dead_server(dead):
    with listening(dead) as (_, address), socket.socket(socket.AF_UNIX) as client:
        assert address == f"unix:{dead}"
        client.connect(dead)
    assert os.listdir(os.path.dirname(dead)) == []


def test_listening_leaves_a_live_socket_alone(tmp_path):
    path = str(tmp_path / "s")
    with listening(path):
        made = os.lstat(path)
        with pytest.raises(ConfigError, match="^listen: .* in use"), listening(path):
            pass
        assert os.path.samestat(made, os.lstat(path)) and made.st_ctime_ns == os.lstat(path).st_ctime_ns


@pytest.mark.slow
def test_of_several_that_start_at_once_at_a_dead_socket_one_listens(dead):
    for _ in range(20):
        together, found = threading.Barrier(6), []

        def start(together=together, found=found):
            together.wait()
            with contextlib.suppress(ConfigError), listening(dead):
                found.append(dead)
                return together.wait()  # it listens until all have tried
            together.wait()

        threads = [threading.Thread(target=start, daemon=True) for _ in range(6)]
        [thread.start() for thread in threads]
        [thread.join(20) for thread in threads]
        assert found == [dead] and os.listdir(os.path.dirname(dead)) == []
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(dead)


@pytest.mark.parametrize("length", (101, 103, 107))
def test_listening_replaces_a_dead_socket_with_a_path_as_long_as_they_may_be(length):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = os.path.join(folder, "s" * (length - len(folder) - 1))
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path)
            with listening(path) as (_, address):
                assert address == f"unix:{path}" and len(path) == length
            assert os.listdir(folder) == []


def test_listening_refuses_what_is_no_socket(tmp_path):
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="^listen: .* no socket"), listening(str(path)):
        pass
    assert path.read_text() == "mine"
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="^listen: .* no socket"), listening(str(path)):
        pass
    assert path.is_symlink()


@pytest.mark.slow
@pytest.mark.usefixtures("in_time")
def test_listening_waits_for_no_lock_of_another_program(dead):
    folder = os.open(os.path.dirname(dead), os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with listening(dead):
        pass
    os.close(folder)


def test_listening_leaves_a_file_that_took_the_place_of_its_socket(tmp_path):
    path = tmp_path / "s"
    with listening(str(path)):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


def test_the_path_is_removed_alone_and_while_its_socket_listens(tmp_path, monkeypatch):
    """Else a successor takes the path of a socket that looks dead, and its file, with the same inode, is removed."""
    path, seen, unlink = str(tmp_path / "s"), [], os.unlink

    def watched(name):
        folder = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        with socket.socket(socket.AF_UNIX) as client:
            seen.append(client.connect_ex(name))
        unlink(name)

    monkeypatch.setattr(os, "unlink", watched)
    with listening(path) as (listener, _):
        listener.close()  # as a server does that takes no new clients
    assert seen == [0] and not os.path.lexists(path)


@pytest.fixture
def no_right_to_read():
    """Return a folder in which this process, no longer root, may make files, but which it may not read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o333)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)  # nobody
        yield folder
        os.seteuid(before)
        os.chmod(folder, 0o700)


def test_listening_needs_no_right_to_read_the_folder(no_right_to_read):
    path = f"{no_right_to_read}/s"
    for _ in range(2):
        with listening(path), socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            with pytest.raises(ConfigError, match="^listen: .* in use"), listening(path):
                pass
        assert not os.path.lexists(path)


def test_listening_says_that_a_port_is_in_use():
    with listening(check_address("127.0.0.1:0")) as (server, address):
        assert server.getsockname()[0] == "127.0.0.1"
        port = check_address(address)
        with pytest.raises(ConfigError, match=rf"listen: {port} cannot be opened .*in use"), listening(port):
            pass


def test_check_address_takes_paths_and_ports_of_the_loopback():
    assert [check_address(a) for a in ("unix:a b", "127.0.0.1:0", "localhost:65535")] == ["a b", 0, 65535]
    for address in ("unix:", "0.0.0.0:80", "localhost:65536", "localhost:", "localhost:-1", ":80", "[::1]:80", "80"):
        with pytest.raises(ConfigError, match="^listen: "):
            check_address(address)
