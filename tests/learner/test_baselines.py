"""The learning baselines: their equations by hand, and that each learns what is known to be best."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner import dqn, ppo
from edgediff.learner.agent import parameters
from edgediff.learner.agents import AGENTS, build_agent

A = 6
CONFIG = LearnerConfig(
    **dict(hidden=32, d2sac_denoising_steps=3, epochs=40, num_envs=50, collect_per_epoch=250, buffer_size=20_000),
    **dict(updates_per_epoch=20, batch_size=128, actor_lr=3e-3, critic_lr=3e-3, gamma=0.0, n_step=1),
    **dict(sac_critic_lr=3e-3, dqn_lr=3e-4),
)


def test_epsilon_falls_linearly_and_stays():
    assert [dqn.epsilon(t, 100, 0.1) for t in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.55, 0.1, 0.1])


def column(*values):
    return torch.tensor(values)[:, None]


def test_advantages_by_hand():
    """gamma 0.5, lam 0.5: deltas 1 + 0.5 * 4 - 2 = 1 and 3 + 0.5 * 6 - 4 = 2; A_0 = 1 + 0.25 * 2 = 1.5."""
    reward, value, following = column(1.0, 3.0), column(2.0, 4.0), column(4.0, 6.0)
    no = column(False, False)
    assert ppo.advantages(reward, value, following, no, no, 0.5, 0.5).flatten().tolist() == [1.5, 2.0]
    cut = column(True, False)
    assert ppo.advantages(reward, value, following, no, cut, 0.5, 0.5).flatten().tolist() == [1.0, 2.0]
    # Termination cuts as well, and takes V(s') out: delta_0 = 1 - 2.
    assert ppo.advantages(reward, value, following, cut, cut, 0.5, 0.5).flatten().tolist() == [-1.0, 2.0]


@pytest.mark.parametrize("steps", [0, 4, 9])
def test_a_ppo_memory_that_holds_no_whole_rollout_is_refused(generator, steps):
    """A rollout has 6 steps: after 9 the oldest is not in the first row, and after 4 some rows are empty."""
    agent = ppo.PPO(2, A, replace(CONFIG, agent="ppo", num_envs=3, collect_per_epoch=18, buffer_size=1800))
    memory, no = agent.memory(), np.zeros(3, bool)

    def add(how_many):
        for _ in range(how_many):
            memory.add(np.ones((3, 2)), np.zeros(3, int), np.ones(3), np.ones((3, 2)), no, no)

    add(steps)
    with pytest.raises(ValueError, match=f"^memory: holds {steps % 6} of the 6 steps of a rollout .*"):
        next(agent.batches(memory, generator))
    add(-steps % 6 or 6)
    assert len(next(agent.batches(memory, generator)).action) == 18


@pytest.mark.slow
@pytest.mark.parametrize("name, shuffled", [*((name, False) for name in AGENTS), ("d2sac", True)])
def test_every_agent_learns_a_problem_with_a_known_best_action(name, shuffled):
    """In context c action c pays 1. Transitions go through act, memory and batches, as in training.

    The negative control: the same rewards in another order teach nothing.
    """
    agent = AGENTS[name](A, A, replace(CONFIG, agent=name), np.random.SeedSequence(0))
    rng, generator, memory = np.random.default_rng(0), torch.Generator().manual_seed(0), agent.memory()
    no, yes = np.zeros(50, bool), np.ones(50, bool)  # every decision is an episode of its own
    for _ in range(CONFIG.epochs):
        for _ in range(5):
            context = rng.integers(A, size=50)
            state = np.eye(A, dtype=np.float32)[context]
            action = agent.explore(state)
            reward = (action == context).astype(float)
            memory.add(state, action, rng.permutation(reward) if shuffled else reward, state, no, yes)
        for batch in agent.batches(memory, generator):
            metrics = agent.update(batch)
    assert tuple(metrics) == agent.METRICS
    taken = agent.act(np.eye(A, dtype=np.float32), torch.Generator().manual_seed(0), draws=8)
    right = (taken == np.arange(A)).mean()
    assert right < 0.6 if shuffled else right == 1


@pytest.mark.parametrize("name, averaged", [("dqn", "target_q"), ("sac", "target_actor"), ("ppo", "average_actor")])
def test_the_averaged_network_is_what_is_evaluated(name, averaged):
    agent = AGENTS[name](A, A, replace(CONFIG, agent=name), np.random.SeedSequence(0))
    online, target = agent.q if name == "dqn" else agent.actor, getattr(agent, averaged)
    for network, action in ((online, 0), (target, 1)):
        with torch.no_grad():
            network[-1].weight.zero_()
            network[-1].bias.zero_()[action] = 50.0
    state = np.zeros((200, A), np.float32)
    for mode in ("sample", "argmax"):
        assert (agent.act(state, torch.Generator(), mode) == 1).all()
    if name != "dqn":
        assert (agent.explore(state) == 0).all()


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_repeats_bit_for_bit(name):
    outcomes = []
    for _ in range(2):
        agent = build_agent(21, 24, LearnerConfig(agent=name, hidden=16), np.random.SeedSequence(3))
        observation = np.random.default_rng(0).random((40, 21), dtype=np.float32)
        outcomes.append((agent.weights(), agent.explore(observation)))
    assert np.array_equal(outcomes[0][1], outcomes[1][1])
    for network, tensors in outcomes[0][0].items():
        assert all(torch.equal(value, outcomes[1][0][network][key]) for key, value in tensors.items())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", AGENTS)
def test_weights_that_are_not_finite_are_named_also_those_that_do_not_act(name, value):
    agent = AGENTS[name](A, A, replace(CONFIG, agent=name), np.random.SeedSequence(0))
    agent.check_finite(np.zeros((3, A), np.float32))
    for network, tensors in agent.weights().items():
        for tensor, values in tensors.items():
            kept = values.clone()
            values.view(-1)[-1] = value
            with pytest.raises(NonFiniteError) as error:
                agent.check_finite(np.zeros((3, A), np.float32))
            assert str(error.value) == f"weights of {network}.{tensor}: not finite"
            values.copy_(kept)


def test_epsilon_counts_decisions_of_training_only():
    agent = dqn.DQN(A, A, replace(CONFIG, agent="dqn"), np.random.SeedSequence(0))
    agent.explore(np.zeros((7, A), np.float32))
    for mode in agent.MODES:
        agent.act(np.zeros((9, A), np.float32), torch.Generator().manual_seed(0), mode)
    agent.check_finite(np.zeros((5, A), np.float32))
    assert agent.decisions == 7


@pytest.mark.parametrize("name", AGENTS)
def test_acting_takes_observations_as_rows_and_converts_them(name):
    """One observation without a batch axis was once cut into several: A = 8 is a multiple of S = 4."""
    agent = build_agent(4, 8, LearnerConfig(agent=name, hidden=8), np.random.SeedSequence(0))
    rows = np.random.default_rng(0).random((5, 4))
    for act in (agent.explore, lambda given: agent.act(given, torch.Generator())):
        for wrong in (rows[0], rows[:, :3], rows[None]):
            with pytest.raises(ValueError, match=r"^observation: shape .* is not \(E, 4\), one row per environment$"):
                act(wrong)
    found = [
        agent.act(given, torch.Generator().manual_seed(0)).tolist()
        for given in (rows.astype(np.float32), rows, rows.tolist(), torch.tensor(rows))
    ]
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("name", AGENTS)
def test_acting_takes_a_stream_a_seed_or_nothing(name):
    """And averages over eight noise draws where nothing else is said."""
    agent, rows = build_agent(4, 8, LearnerConfig(agent=name, hidden=8)), np.random.default_rng(0).random((50, 4))
    five, nothing = np.random.SeedSequence(5), agent.evaluation_stream().get_state()
    for given, number in (((), 0), ((None,), 0), ((np.int64(7),), 7), ((five,), five.generate_state(1, np.uint64)[0])):
        stream = torch.Generator().manual_seed(int(number))
        assert number or torch.equal(stream.get_state(), nothing)
        found, expected = agent.act_with_probabilities(rows, *given), agent.act_with_probabilities(rows, stream, "", 8)
        assert all(map(np.array_equal, found, expected))
    if name == "d2sac":
        assert not np.array_equal(agent.act(rows), agent.act(rows, draws=1))


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_is_built_from_a_whole_number_or_a_seed_sequence(name):
    config, rows = LearnerConfig(agent=name, hidden=8), np.random.default_rng(0).random((50, 4))
    found = [build_agent(4, 8, config, seed).explore(rows) for seed in (3, np.int64(3), np.random.SeedSequence(3), 4)]
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[3])
    for seed in (-1, 0.5, "3", None):
        with pytest.raises(ConfigError, match="^seed: .* is not a whole number from 0, or a SeedSequence of NumPy$"):
            build_agent(4, 8, config, seed)


@pytest.mark.parametrize("name", AGENTS)
def test_acting_changes_nothing_that_training_depends_on(name):
    agent = build_agent(4, 8, LearnerConfig(agent=name, hidden=8), np.random.SeedSequence(0))
    before = copy.deepcopy(agent.snapshot())
    for mode in agent.MODES:
        agent.act_with_probabilities(np.zeros((5, 4), np.float32), torch.Generator(), mode, 8)
    agent.check_finite(np.zeros((5, 4), np.float32))
    torch.testing.assert_close(agent.snapshot(), before, rtol=0, atol=0)
    agent.explore(np.zeros((5, 4), np.float32))
    assert not torch.equal(agent.snapshot()["act_stream"], before["act_stream"])


@pytest.mark.parametrize("name", AGENTS)
def test_every_network_of_an_agent_is_saved(name):
    agent = build_agent(4, 8, LearnerConfig(agent=name, hidden=8), np.random.SeedSequence(0))
    own = {name: value for name, value in vars(agent).items() if isinstance(value, torch.nn.Module)}
    assert own == agent.networks
    trained = {id(p) for network in own.values() for p in network.parameters() if p.requires_grad}
    assert trained == {id(p) for optimiser in agent.optimisers.values() for p in parameters(optimiser)}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_dqn_refuses_action_values_that_are_not_finite(value):
    """The policy made of them is finite: all probability on one action."""
    agent = dqn.DQN(A, A, replace(CONFIG, agent="dqn"), np.random.SeedSequence(0))
    for network, act in ((agent.q, agent.explore), (agent.target_q, lambda s: agent.act(s, torch.Generator()))):
        with torch.no_grad():
            network[-1].bias[0] = value
        with pytest.raises(NonFiniteError, match="^action values: not finite$"):
            act(np.zeros((3, A), np.float32))
