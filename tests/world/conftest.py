import pytest


@pytest.fixture
def write(tmp_path):
    """Write a request log; return its path."""

    def _write(text, name="log.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return _write
