"""The learner on a world that is not ours; skipped without the extra `gym`."""

import pytest

pytest.importorskip("gymnasium")
from edgediff.errors import ConfigError
from experiments import cartpole

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("agent", cartpole.SETTINGS)
def test_every_agent_plays_and_repeats(agent, monkeypatch):
    """Episodes of a fresh agent last some 10 to 60 steps, so that many ends are met within 400 transitions."""
    monkeypatch.setattr(cartpole, "EVERY", 200)
    small = dict(hidden=16, collect_per_epoch=100, epochs=4, updates_per_epoch=5)
    one, two = (cartpole.run(agent, 3, **small) for _ in range(2))
    assert [row[0] for row in one] == [200, 400] and one == two
    assert all(5 < row[2] <= 500 for row in one) and one[-1][1] > 0


@pytest.mark.parametrize("argv", [[], ["d2sac"], ["a3c", "0"], ["dqn", "-1"], ["dqn", "x"]])
def test_other_arguments_are_refused(argv):
    with pytest.raises(ConfigError, match="arguments: "):
        cartpole.main(argv)


def test_a_result_that_exists_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(cartpole, "RESULTS", tmp_path)
    monkeypatch.setattr(cartpole, "run", lambda name, seed: [(200, 10, 9.5)])
    cartpole.main(["dqn", "0"])
    before = (tmp_path / "dqn-0.csv").read_text()
    assert before.splitlines() == ["transitions,gradient_steps,return", "200,10,9.5"]
    monkeypatch.setattr(cartpole, "run", lambda name, seed: [(200, 10, 8.5)])
    with pytest.raises(ConfigError, match="dqn-0.csv exists and is left as it is"):
        cartpole.main(["dqn", "0"])
    assert (tmp_path / "dqn-0.csv").read_text() == before
