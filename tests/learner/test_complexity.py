"""Eq. (27) against counts of the products that really run."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from edgediff.config import LearnerConfig
from edgediff.errors import ConfigError
from edgediff.learner import complexity
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.embedding import TIME_DIM
from edgediff.learner.replay import Batch
from edgediff.learner.shared import SharedNoiseNetwork, Widths

S, A, H, N, B = 21, 24, 64, 10, 128


@pytest.fixture
def agent():
    return D2SAC(S, A, LearnerConfig(hidden=H, batch_size=B), np.random.SeedSequence(0))


def counted(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2  # a multiply-add is two operations


@pytest.mark.eq(27)
def test_parameters_by_hand(agent):
    """24 + 21 + 16 inputs; the step embedding's small network 16-32-16; three layers with biases."""
    expected = (16 * 32 + 32) + (32 * 16 + 16) + (61 * 64 + 64) + (64 * 64 + 64) + (64 * 24 + 24)
    assert complexity.parameter_count(agent.actor) == expected
    assert complexity.parameter_count(agent.critics) == 2 * ((21 * 64 + 64) + (64 * 64 + 64) + (64 * 24 + 24))


@pytest.mark.eq(27)
def test_printed_cost():
    """Eq. (27): K P_d + P_a + P_c = 10 * 100 + 7 + 20 = 1027."""
    assert complexity.printed_cost(10, p_d=100, p_a=7, p_c=20) == 1027


@pytest.mark.eq(27)
def test_cost_of_a_decision_is_what_runs(agent):
    """Eq. (27): K P_d, counted in the products that run: N passes of the noise network for each state."""
    embedding = N * (2 * TIME_DIM * 2 * TIME_DIM + TIME_DIM * H)  # once per batch
    run = counted(lambda: agent.act(np.zeros((B, S), np.float32), agent.act_stream, draws=1))
    assert run - embedding == B * complexity.chain_cost(agent.actor, N)


def test_the_cost_of_a_shared_network_is_refused_in_one_line():
    actor = SharedNoiseNetwork(Widths(6, 3, 3, 3), H, N)
    for cost in (lambda: complexity.chain_cost(actor, N), lambda: complexity.update_cost(actor, N, B)):
        with pytest.raises(ConfigError, match="^network: .* for mlp, not for shared$"):
            cost()


@pytest.mark.eq(27)
def test_cost_of_an_update_is_what_runs(agent):
    """Exactly, but for gradients that nobody asks for and the step embedding, shared by a batch.

    Not computed: the gradient of the state in the critics' loss (2 S H) and in J (S H), and that of a_N (A H). The
    step embedding runs once forward per chain, and backward once, N rows each; in L_d it runs for every row.
    """
    batch = Batch(
        torch.zeros(B, S), torch.zeros(B, dtype=torch.long), torch.zeros(B), torch.zeros(B), torch.zeros(B, S)
    )
    run = counted(lambda: agent.update(batch))
    estimate = complexity.update_cost(agent.actor, N, B)
    idle = B * (2 * S + S + A) * H
    small = 2 * (TIME_DIM * 2 * TIME_DIM)  # the two layers of the embedding, a row
    embedding = (
        N * (4 * small + 4 * TIME_DIM * H) - N * TIME_DIM * 2 * TIME_DIM + B * (3 * small - TIME_DIM * 2 * TIME_DIM)
    )
    assert run == estimate - idle + embedding
    printed = complexity.printed_cost(
        N, *[complexity.parameter_count(n) for n in (agent.actor, agent.actor, agent.critics)]
    )
    assert run > 2.5 * B * printed  # what the paper's formula leaves out
