"""What programs write: nothing foreign is replaced, and nothing half is left."""

import os

import pytest

from edgediff.errors import ConfigError
from experiments.own_file import refuse_foreign, write_new, write_table


def test_a_page_of_ours_may_be_written_again_and_nothing_else(tmp_path):
    path = tmp_path / "x.html"
    refuse_foreign(path, "<!-- ours -->", "page")
    path.write_text("<!-- ours -->")
    refuse_foreign(path, "<!-- ours -->", "page")
    for make in (lambda: path.write_text("mine"), path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("gone")):
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        with pytest.raises(ConfigError, match="^page: .*x.html "):
            refuse_foreign(path, "<!-- ours -->", "page")
    with pytest.raises(ConfigError, match="^page: .*none is not a folder"):
        refuse_foreign(tmp_path / "none/x.html", "<!-- ours -->", "page")


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    write_new(tmp_path / "x", "1")
    with pytest.raises(ConfigError, match="^file: .*x exists, and is left as it is"):
        write_new(tmp_path / "x", "2")
    assert (tmp_path / "x").read_text() == "1"


def test_on_a_full_disk_the_old_table_stays_and_nothing_half_is_there(tmp_path, monkeypatch):
    write_table(tmp_path / "x.csv", ("a", "b"), [(1, 2)])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="x.csv cannot be written .*what was there stays"):
        write_table(tmp_path / "x.csv", ("a", "b"), [(3, 4)])
    with pytest.raises(ConfigError, match="y cannot be written"):
        write_new(tmp_path / "y", "1")
    assert (tmp_path / "x.csv").read_text() == "a,b\n1,2\n" and os.listdir(tmp_path) == ["x.csv"]
