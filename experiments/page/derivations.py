"""Derivations that the paper leaves out, for the equations of the world and of the critics and the actor.

A part that starts with a dollar sign is a displayed formula in LaTeX; other parts are paragraphs, as `html.markup`
reads them. Those of the chain are in derivations_chain.py.
"""

from typing import NamedTuple


class Derivation(NamedTuple):
    """One derivation: its anchor on the page, after what it stands (eq5, line16), its title and its parts."""

    anchor: str
    after: str
    title: str
    parts: tuple[str, ...]


QUEUE = Derivation(
    "derive-queue",
    "eq5",
    "Where Q comes from: Lindley's recursion",
    (
        r"Let \(A_g(t)\) be the bits of the flows that gateway \(g\) receives in slot \(t\), and \(\Delta\) the "
        r"length of a slot. In one slot the gateway can send \(R_g^{total}(t) \Delta\) bits. It sends all that waits "
        "if that is less, and a queue is never negative:",
        r"$Q_g(t+1) = \max( Q_g(t) + A_g(t) - R_g^{total}(t) \Delta, \ 0)",
        "This is Lindley's recursion. Between two flows nothing arrives, and then many slots are one step: for "
        r"amounts \(x\) and \(y\) that are not negative",
        r"$\max( \max(Q - x, 0) - y, \ 0) = \max(Q - x - y, \ 0)",
        r"If \(Q \geq x\), the inner maximum is \(Q - x\) and both sides are the same. If \(Q < x\), both sides are 0, "
        r"since \(y \geq 0\). So the simulator jumps from one flow to the next and subtracts the sum of what the slots "
        "between can send; `drain_backlog` is that one line.",
        r"Eq. (5) then divides the queue that the new flow finds by \(R_g^{avail}\), the rate that is left. The queue "
        r"drains at \(R_g^{total}\), which is at least as much. So Eq. (5) is a cautious estimate of the wait, as the "
        "paper says: an approximation.",
        "In the kernel of Linux, where every flow is paced at its own rate, this wait hardly occurs: at load 2 "
        "Eq. (5) predicts half a second, and the real wait is a few milliseconds ([the "
        "testbed](experiments/testbed/README.md#what-the-kernel-does-otherwise)).",
    ),
)

TARGET = Derivation(
    "derive-target",
    "eq15",
    "From the Bellman equation to the n-step target",
    (
        r"The value of an action under a policy \(\pi\) is its reward and the discounted value of what follows:",
        r"$Q(s_t, a_t) = \mathbb{E} [ r_t + \gamma V(s_{t+1}) ], \quad V(s) = \sum_a \pi(a | s) Q(s, a)",
        r"If \(\pi\) is greedy, \(V(s) = \max_a Q(s, a)\), and this is Eq. (14). Put the equation into itself \(m - "
        r"1\) times:",
        r"$Q(s_t, a_t) = \mathbb{E} \left[ \sum_{j < m} \gamma^j r_{t+j} + \gamma^m V(s_{t+m}) \right]",
        r"Eq. (15) estimates the right side. The smaller of two estimates is as printed. A policy that looks for large "
        "values prefers those that are too large by error; the minimum counters this. Four things are not as printed:",
        r"(1) \(m = n = 3\), the n-step of Table 1: a reward reaches the values of three steps at once. With rewards "
        r"1, 2, 4 and \(\gamma = 0.5\), the sum is 1 + 1 + 1 = 3. Where the episode or the buffer ends sooner, \(m\) "
        r"is less than \(n\).",
        r"(2) \(d_{t+m} = 1\) if the episode truly ended: nothing follows, so no value is added. An episode that was "
        "only cut goes on, unseen, and its value is added.",
        "(3) Critics and policy are target networks, marked by a prime; otherwise each update would change its own "
        "target. For the critics the text below Eq. (15) and line 12 of Algorithm 1 say so.",
        r"(4) The policy is a distribution, so the value of one action \(\pi_\theta(s'_i)\) becomes the mean over all "
        "actions. This mean is exact, because the critics give a value for every action.",
        r"One thing is lost: the actions at steps \(t+1\) to \(t+m-1\) were chosen by the policy that filled the "
        r"buffer. For \(m > 1\) the target is exact only for that policy. As usual, this is accepted and not "
        "corrected.",
    ),
)

OBJECTIVE = Derivation(
    "derive-objective",
    "line16",
    "J, its maximiser, and what follows from it",
    (
        r"The paper names \(J(\pi_\theta)\) and does not define it. Table 1 has an entropy temperature \(\alpha\), so "
        r"\(J\) is that of a soft actor-critic:",
        r"$J = \mathbb{E}_s \left[ \sum_a \pi(a | s) \min_k Q_k(s, a) + \alpha H(\pi( \cdot | s)) \right], \quad"
        r" H(\pi) = -\sum_a \pi(a) \ln \pi(a)",
        r"Take one state and write \(Q(a)\) for \(\min_k Q_k(s, a)\). Let \(p(a) = \exp(Q(a) / \alpha) / Z\) with "
        r"\(Z = \sum_a \exp(Q(a) / \alpha)\), which is \(\text{softmax}(Q / \alpha)\). Then "
        r"\(Q(a) = \alpha \ln p(a) + \alpha \ln Z\), and",
        r"$\sum_a \pi(a) Q(a) + \alpha H(\pi) = \alpha \ln Z + \alpha \sum_a \pi(a) \ln \frac{p(a)}{\pi(a)}"
        r" = \alpha \ln \sum_a e^{Q(a) / \alpha} - \alpha \, \text{KL}(\pi \| p)",
        r"The first term does not depend on \(\pi\). KL is never negative, and 0 only for \(\pi = p\). So for given "
        r"values \(J\) has one maximiser, \(\text{softmax}(Q / \alpha)\), and to raise \(J\) is to move \(\pi\) "
        "towards it.",
        "All A values are known, so the sum over actions is exact, and the gradient needs no sampled action. For the "
        r"logits \(a_0^{(k)}\) of Eq. (26) it is",
        r"$\frac{\partial J}{\partial a_0^{(k)}} = \pi(k) \left( Q(k) - \alpha \ln \pi(k) - \sum_a \pi(a)"
        r" \left( Q(a) - \alpha \ln \pi(a) \right) \right)",
        r"It is zero if \(Q(k) - \alpha \ln \pi(k)\) is the same for all \(k\): again \(\text{softmax}(Q / \alpha)\). "
        "`test_actor_gradient_vanishes_at_logits_q_over_temperature` checks this.",
        r"**What follows.** The best policy for given values needs only A logits, \(Q / \alpha\), and an MLP with A "
        "outputs can represent it. A chain can represent no better policy, so it has no representational advantage "
        r"here. Moreover \(J\) holds the entropy of the policy given one noise draw, so the maximiser is the same for "
        "every draw: at the optimum the noise of the chain makes no difference.",
        "**What does not follow.** It does not follow that the actor only copies the critics. Critics are noisy and "
        "move at every step; the actor averages over many states and updates. This was measured: sac that acts by "
        r"\(\text{softmax}(\min_k Q_k / \alpha)\) itself, without its actor, has less reward at load 1 on every seed "
        "([what the actor is for](experiments/README.md#what-the-actor-is-for)). So the actor filters noisy critics. "
        "Nor does it follow that all actors learn equally fast: the identity is about the optimum, not about the way "
        "to it. And where actions are continuous, no sum over actions and no softmax is at hand; there a chain may "
        "pay.",
    ),
)

WORLD_AND_ACTOR = QUEUE, TARGET, OBJECTIVE
