"""The log to try `--trace` with is what its program makes, and a log that the world reads."""

from edgediff.config import WorldConfig
from edgediff.run.process import run_program
from edgediff.world.log import log_of
from edgediff.world.simulator import Simulator
from experiments import ROOT
from experiments.sample_log import main, sample_log

SAMPLE = ROOT / "experiments/sample_log.csv"


def test_the_committed_log_is_what_the_program_makes(tmp_path, capsys):
    assert SAMPLE.read_text() == sample_log() and SAMPLE.stat().st_size < 100_000
    assert main([str(tmp_path / "a.csv")]) == 0 and (tmp_path / "a.csv").read_text() == sample_log()
    assert run_program("sample_log", lambda _: main([str(tmp_path / "a.csv")])) == 2
    assert capsys.readouterr().err.count("\n") == 1 and (tmp_path / "a.csv").read_text() == sample_log()


def test_an_episode_is_a_part_of_it_and_its_load_moves():
    """Busy stretches have three times the visits of quiet ones."""
    world = WorldConfig(trace=str(SAMPLE))
    times_s = log_of(world).time_s
    per_minute = (times_s // 60).astype(int)
    counts = [sum(per_minute == minute) for minute in range(30)]
    assert max(counts) > 2 * sorted(counts)[3] > 0
    simulator = Simulator(world, 2)
    simulator.reset(0)
    assert 500 < simulator.num_flows.min() and simulator.num_flows.max() < 2000


def test_another_seed_is_another_log():
    assert sample_log(1) != sample_log()
