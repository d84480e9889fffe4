"""What is refused before a run starts, and the line to go on with."""

import shlex

from tiny import TINY, newest

from edgediff import train


def test_a_final_table_beyond_the_memory_is_refused_before_the_run(refused):
    flags = "--num-slots 100000 --final-episodes 2000".split()
    refused(train, "GB in all is not below 80 % of the memory here", *flags)


def test_the_line_to_go_on_with_can_be_pasted_into_a_shell(call, stop_after, tmp_path):
    stop_after(1)
    _, _, err = call(train, "--run", "my $run", *TINY)
    stop_after(0)
    python, _, program, *argv = shlex.split(err.splitlines()[-1].split("go on with: ")[1])
    assert (python, program) == ("python", "edgediff.train") and call(train, *argv)[0] == 0
    assert newest(tmp_path / "my $run")["progress"]["epoch"] == 4
