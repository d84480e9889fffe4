"""The noise network's two forms agree; the embedding and the critics are what they say."""

import math

import pytest
import torch

from edgediff.learner.diffusion import denoise, variance_schedule
from edgediff.learner.embedding import sinusoidal_embedding
from edgediff.learner.networks import NoiseNetwork, TwinCritics, mlp

S, A, H, N, B = 21, 24, 32, 10, 7


def network():
    torch.manual_seed(0)
    return NoiseNetwork(S, A, H, N).double()


@pytest.mark.eq(21)
def test_the_cheap_chain_equals_the_definition():
    """`predictor` projects state and step apart; `forward` concatenates. Values and all gradients agree."""
    net, schedule = network(), variance_schedule(N)
    state, noise = torch.randn(B, S).double(), torch.randn(N, B, A).double()

    def by_definition(a_i, i):
        return net(a_i, state, torch.full((B,), i))

    gradients = []
    for predict_noise in (net.predictor(state), by_definition):
        net.zero_grad()
        a_0 = denoise(predict_noise, schedule, noise)
        a_0.square().sum().backward()
        gradients.append([a_0.detach()] + [p.grad.clone() for p in net.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.eq(21)
def test_the_prediction_depends_on_latent_state_and_step():
    """eps_theta(a_i, s, i) of Eq. (21) changes with each of its three arguments."""
    net = network()
    a, s, i = torch.randn(B, A).double(), torch.randn(B, S).double(), torch.arange(1, B + 1)
    base = net(a, s, i)
    for changed in (net(a + 1, s, i), net(a, s + 1, i), net(a, s, i + 1)):
        assert not torch.allclose(base, changed)


@pytest.mark.eq(21)
def test_the_prediction_can_exceed_one():
    """As standard normal noise does in 32 % of its coordinates."""
    a, s, i = 100 * torch.randn(B, A).double(), torch.randn(B, S).double(), torch.ones(B, dtype=torch.long)
    assert network()(a, s, i).abs().max() > 1


@pytest.mark.eq(21)
def test_embedding_by_hand():
    """Frequencies 1, 10000^(-1/7) ... 10000^-1: the first sine and cosine are sin i and cos i."""
    embedding = sinusoidal_embedding(torch.tensor([1, 3]))
    assert embedding.shape == (2, 16)
    for row, i in zip(embedding, (1, 3), strict=True):
        assert row[0].item() == pytest.approx(math.sin(i), abs=1e-6)
        assert row[8].item() == pytest.approx(math.cos(i), abs=1e-6)
        assert row[7].item() == pytest.approx(math.sin(i / 10_000), abs=1e-6)
        assert row[9].item() == pytest.approx(math.cos(i * 10_000 ** (-1 / 7)), abs=1e-6)


@pytest.mark.eq(21)
def test_steps_are_embedded_from_1_to_N():
    """eps_theta of Eq. (21): row i - 1 of the stored embedding is that of step i."""
    assert torch.equal(network().time.table.float(), sinusoidal_embedding(torch.arange(1, N + 1)))


@pytest.mark.eq(15)
def test_the_critics_are_two_and_the_minimum_is_the_smaller():
    """min_k Q_k of Eq. (15): everywhere the smaller of two critics that differ."""
    critics = TwinCritics(mlp(S, H, A), mlp(S, H, A))
    state = torch.randn(50, S)
    q1, q2 = critics(state)
    assert q1.shape == (50, A) and not torch.allclose(q1, q2)
    smaller = critics.minimum(state)
    assert (smaller <= q1).all() and (smaller <= q2).all() and ((smaller == q1) | (smaller == q2)).all()
