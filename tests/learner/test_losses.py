"""Eqs. (14)-(17), (25) and J, by hand and by where their gradients vanish."""

import math

import pytest
import torch
from slips import named

from edgediff.learner import losses

A = 24


@pytest.mark.eq(15)
def test_state_value_by_hand():
    """0.25 * 4 + 0.75 * 8 = 7; and 1 * (-2) = -2."""
    pi = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    value = losses.state_value(pi, torch.tensor([[4.0, 8.0], [-2.0, 9.0]]))
    assert value.shape == (2,), f"shape {tuple(value.shape)} is not (B,): one value per sample"
    assert value.tolist() == pytest.approx([7.0, -2.0]), named(value[0].item(), {
        8.0: "this is the max backup of Eq. (14); Eq. (15) takes the expectation over pi",
        6.0: "the mean over all actions alike: weigh them by pi",
        3.5: "the mean over actions of pi Q: V is the sum",
        -1.0: "the sum over the batch: dim 0 is the samples, dim 1 the actions",
        (4 + 8 * math.exp(0.5)) / (1 + math.exp(0.5)): "pi holds probabilities already: a second softmax spoils them",
    })  # fmt: skip


@pytest.mark.eq(15)
@pytest.mark.line(11, 12, 13, 14)
def test_td_target_by_hand():
    """1 + 0.9 * 10 = 10; where the episode truly ended the discount is 0, and the next state does not matter."""
    target = losses.td_target(torch.tensor([1.0, 1.0]), torch.tensor([0.9, 0.0]), torch.tensor([10.0, 1e6]))
    assert target.shape == (2,), f"shape {tuple(target.shape)}: (B,) with (B, 1) becomes (B, B), one column too many"
    words = "a backup without mask: where the episode ended, nothing follows, so y = R"
    if target[0].item() == pytest.approx(1 + 0.1 * 10):
        words = "1 - discount: `discount` is gamma^m already, and 0 where the episode ended"
    slips = {0.0: "the discount scales the next value alone, not the reward"}
    assert target[1] == 1.0, words if target[1] > 1e3 else named(target[1].item(), slips)
    assert target[0].item() == pytest.approx(10.0), named(
        target[0].item(), {11.0: "gamma is missing", -8.0: "the next value is subtracted"}
    )


@pytest.mark.eq(14)
def test_a_greedy_policy_turns_the_target_into_the_max_backup():
    """Eq. (14): r + gamma max_a' Q(s', a') is Eq. (15) with all of pi on the best action."""
    q = torch.randn(6, A)
    greedy = torch.nn.functional.one_hot(q.argmax(1), A).float()
    reward, gamma = torch.randn(6), torch.full((6,), 0.95)
    backup = losses.td_target(reward, gamma, losses.state_value(greedy, q))
    torch.testing.assert_close(backup, reward + 0.95 * q.max(dim=1).values)
    soft = losses.td_target(reward, gamma, losses.state_value(torch.full((6, A), 1 / A), q))
    assert (soft < backup).all()


@pytest.mark.eq(16)
@pytest.mark.line(11, 12, 13, 14)
def test_critic_loss_by_hand():
    """Q1(s, a) = 1, 4 and Q2(s, a) = 2, 0 against y = 2, 1: (1 + 9) / 2 + (0 + 1) / 2 = 5.5."""
    q1, q2 = torch.tensor([[1.0, 7.0], [7.0, 4.0]]), torch.tensor([[2.0, 7.0], [7.0, 0.0]])
    loss = float(losses.critic_loss(q1, q2, torch.tensor([0, 1]), torch.tensor([2.0, 1.0])))
    assert loss == pytest.approx(5.5), named(loss, {
        5.0: "(B, 1) minus (B,) is (B, B): every error is taken with every target",
        2.75: "the mean of both critics; the losses add up",
        11.0: "the sum over the batch; Eq. (16) has 1 / B",
        5.0 / 2: "(B, 1) minus (B,) is (B, B): every error is taken with every target",
        2.0: "the minimum of both critics is for the target; here each has a loss of its own",
        1.0: "the minimum of both critics is for the target; here each has a loss of its own",
        36.5: "the loss is of action 0, not of the action taken",
        (1 + 25 + 36 + 9) / 4 + (0 + 25 + 36 + 1) / 4: "all actions count; the loss is of the action taken",
    })  # fmt: skip
    other = float(losses.critic_loss(q1, q2, torch.tensor([1, 0]), torch.tensor([2.0, 1.0])))
    assert other == pytest.approx(61), f"with the other actions taken, (25 + 36) / 2 of each critic is 61, not {other}"


@pytest.mark.eq(16)
@pytest.mark.line(11, 12, 13, 14)
def test_critic_loss_touches_only_the_actions_taken():
    """Eq. (16): dL/dQ is 2 (Q - y) / B at the action taken, here B = 3 and y = 0, and 0 at the 23 others."""
    q1, q2 = (torch.randn(3, A, requires_grad=True) for _ in range(2))
    action = torch.tensor([0, 5, 23])
    losses.critic_loss(q1, q2, action, torch.zeros(3)).backward()
    for q in (q1, q2):
        expected = torch.zeros(3, A)
        expected[range(3), action] = 2 * q.detach()[range(3), action] / 3  # d/dq of the mean of q^2
        torch.testing.assert_close(q.grad, expected)


@pytest.mark.eq(26)
def test_entropy_of_known_distributions():
    """H(pi) of Eq. (26): ln 24 = 3.18 if all 24 actions are alike, 0 if one is certain."""
    uniform, sure = torch.full((1, A), -math.log(A)), torch.log_softmax(torch.tensor([[50.0] + [0.0] * 23]), 1)
    assert losses.entropy(uniform).item() == pytest.approx(math.log(A))
    assert losses.entropy(sure).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.line(15, 16)
def test_actor_objective_averages_over_the_batch_and_sums_over_actions():
    """pi = (1/2, 1/2): (1 + 3) / 2 + 0.1 ln 2, and (5 + 5) / 2 + 0.1 ln 2; the mean is 3.5 + 0.1 ln 2."""
    log_pi = torch.full((2, 2), math.log(0.5))
    value = float(losses.actor_objective(log_pi, torch.tensor([[1.0, 3.0], [5.0, 5.0]]), 0.1))
    bonus = 0.1 * math.log(2)
    assert value == pytest.approx(3.5 + bonus), named(value, {
        3.5 - bonus: "the sign of the entropy: J grows with H(pi), and H = -sum pi log pi",
        -3.5 - bonus: "this is the loss -J; J itself is maximised",
        -3.5 + bonus: "this is a loss, and the sign of the entropy is wrong in it",
        3.5: "the entropy is missing",
        -7 * math.log(2) + bonus: "log pi Q in place of pi Q",
        3.5 + math.log(2): "the temperature before the entropy is missing",
        7.0 + 2 * bonus: "the sum over the batch; J is a mean over states",
        1.75 + bonus / 2: "the mean over actions too: J is a sum over actions, and a mean over states",
        1.75 + bonus: "the mean over actions of pi Q: J has their sum",
    })  # fmt: skip


@pytest.mark.line(15, 16)
def test_actor_gradient_vanishes_at_logits_q_over_temperature():
    """J is largest at the Boltzmann policy, where it is temperature * logsumexp(Q / temperature)."""
    q, temperature = torch.randn(5, A, dtype=torch.float64), 0.3
    logits = (q / temperature).requires_grad_()
    best = losses.actor_objective(torch.log_softmax(logits, 1), q, temperature)
    best.backward()
    words = "J is largest at softmax(Q / temperature), but its gradient there is not 0: is pi or H(pi) detached?"
    assert logits.grad.abs().max() < 1e-12, words
    assert best.item() == pytest.approx((temperature * torch.logsumexp(q / temperature, 1)).mean().item())
    elsewhere = (logits.detach() + 0.1 * torch.randn(5, A)).requires_grad_()
    worse = losses.actor_objective(torch.log_softmax(elsewhere, 1), q, temperature)
    worse.backward()
    assert worse < best and elsewhere.grad.abs().max() > 1e-4


@pytest.mark.eq(25)
def test_clean_latent_by_hand():
    """A = 4 at 90 %: c = ln(0.9 * 3 / 0.1) = ln 27 = 3.296; the best action gets 3/4 c = 2.472, the others -c/4.

    At 50 %, c = ln(0.5 * 3 / 0.5) = ln 3. In the first sample action 1 is the best, in the second action 0.
    """
    q, c = torch.tensor([[0.0, 7.0, 1.0, 2.0], [3.0, 0.0, 1.0, 2.0]]), math.log(27)
    latent = losses.clean_latent(q)
    best = latent[0, 1].item()
    assert best == pytest.approx(0.75 * c), named(best, {
        c: "not centred: 1 / A is subtracted from the one-hot vector",
        0.75 * math.log(36): "c has A where A - 1 belongs: the other actions are A - 1",
        0.75 * 27: "c is a logarithm: softmax takes the exponential of it",
        0.75 * 0.9: "c is not the confidence itself; softmax(a_0) gives it",
        0.75 * math.log(9): "c has no A - 1: the other 10 % are shared by A - 1 actions",
        0.75: "the factor c is missing",
        -0.25 * c: "another action than argmax Q is preferred",
    })  # fmt: skip
    assert latent[0, 0].item() == pytest.approx(-0.25 * c)
    best = latent[1, 0].item()
    assert best == pytest.approx(0.75 * c), named(best, {
        -0.25 * c: "one best action for the whole batch: take the best of each sample, over dim 1",
    })  # fmt: skip
    best = losses.clean_latent(q.flip(1), 0.5)[0, 2].item()
    assert best == pytest.approx(0.75 * math.log(3)), named(best, {
        0.75 * c: "`confidence` is not used: 0.9 is fixed",
        -0.25 * math.log(3): "another action than argmax Q is preferred",
    })  # fmt: skip


@pytest.mark.eq(25)
def test_clean_latent_gives_the_preferred_action_its_confidence():
    """Eq. (25): softmax(a_0) gives argmax Q 90 %; a_0 is centred; c = ln(0.9 * 23 / 0.1) = 5.33 for A = 24."""
    q = torch.randn(9, A)
    latent = losses.clean_latent(q)
    pi = torch.softmax(latent, 1)
    assert torch.equal(pi.argmax(1), q.argmax(1))
    torch.testing.assert_close(pi.max(1).values, torch.full((9,), 0.9))
    assert latent.sum(1).abs().max() < 1e-5  # centred
    assert (latent.max(1).values - latent.min(1).values)[0].item() == pytest.approx(5.33, abs=0.005)  # c, A = 24


@pytest.mark.eq(25)
@pytest.mark.line(17)
def test_diffusion_loss_by_hand():
    """Squared norms 1 + 4 = 5 and 0 + 9 = 9, mean 7."""
    eps, found = torch.tensor([[1.0, 2.0], [3.0, 3.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    loss = float(losses.diffusion_loss(eps, found))
    assert loss == pytest.approx(7), named(loss, {
        3.5: "the mean over coordinates too: ||.||^2 is the sum over the A coordinates",
        14.0: "the sum over the batch: E is a mean",
        (5**0.5 + 3) / 2: "the norm, not its square",
    })  # fmt: skip


@pytest.mark.eq(17)
def test_polyak_moves_by_tau():
    """Eq. (17), in place: 0.25 * 3 + 0.75 * 1 = 1.5, and 0.25 * 6 + 0.75 * 2 = 3; tau = 1 copies."""
    target, online = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 6.0], requires_grad=True)]
    losses.polyak(target, online, 0.25)
    assert online[0].tolist() == [3.0, 6.0], "the online network moved; only its target follows"
    found = target[0][0].item()
    assert found == 1.5, named(found, {
        2.5: "tau and 1 - tau are exchanged: the target keeps 1 - tau of itself",
        1.0: "the target did not move: change it in place",
        1.75: "tau of the online network was added, but the target kept all of itself",
    })  # fmt: skip
    assert not target[0].requires_grad, "the target carries a gradient of the online network: keep @torch.no_grad()"
    assert target[0].tolist() == [1.5, 3.0] and online[0].tolist() == [3.0, 6.0]
    losses.polyak(target, online, 1.0)
    assert target[0].tolist() == [3.0, 6.0], "tau = 1 copies the online network"


def test_shapes_that_would_broadcast_are_refused():
    column, row = torch.zeros(4, 1), torch.zeros(4)
    with pytest.raises(ValueError, match="shapes"):
        losses.td_target(column, row, row)
    with pytest.raises(ValueError, match="shapes"):
        losses.critic_loss(torch.zeros(4, 2), torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), column)
    with pytest.raises(ValueError, match="shapes"):
        losses.state_value(torch.zeros(4, 2), row)
    with pytest.raises(ValueError, match="shapes"):
        losses.diffusion_loss(torch.zeros(4, 2), torch.zeros(4, 1))


def test_entropy_counts_an_impossible_action_as_nothing():
    """0 log 0 is 0: masked actions have log-probability minus infinity."""
    log_pi = torch.log_softmax(torch.tensor([[1.0, -math.inf, 1.0]], requires_grad=True), dim=1)
    h = losses.entropy(log_pi)
    assert h.item() == pytest.approx(math.log(2))
    h.sum().backward()


@pytest.mark.parametrize("logits", [[3e38, -3e38], [0.0, -200.0]])
def test_entropy_is_finite_at_every_finite_logit(logits):
    assert losses.entropy(torch.log_softmax(torch.tensor([logits]), dim=1)).item() == pytest.approx(0.0, abs=1e-6)
