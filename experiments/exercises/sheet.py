"""What the stubs cannot take from the sources: the printed equation, shapes, a question, the minutes."""

from typing import NamedTuple


class Exercise(NamedTuple):
    """One stub: experiments/exercises/NAME.py."""

    name: str
    title: str
    minutes: int
    select: str  # the word after `pytest -k`
    functions: tuple[str, ...]  # below edgediff
    printed: str
    shapes: str
    question: str
    imports: str = ""  # besides NumPy or torch


EXERCISES = (
    Exercise(
        "eq02", "Eq. (2), total delay", 5, "eq02", ("world.delay.total_delay",),
        "T_act = T_tx + T_q + T_proc + T_prop",
        "Seconds; floats, or arrays of one shape.",
        "Eq. (8) drops one of the four parts. Which, and does it matter at 100 m and 5 ns/m?",
        "from edgediff.world.delay import Array",
    ),
    Exercise(
        "eq05", "Eq. (5), the queue", 10, "eq05", ("world.delay.queueing_delay", "world.delay.drain_backlog"),
        "T_q = Q_b / R_avail_b",
        "Bits and bit/s; floats, or arrays that broadcast. At rate 0 the wait is infinite, also for an empty queue.\n"
        "Draining is not printed: a queue serves `served_bits` until the next flow and is never negative.",
        "If an empty gateway without bandwidth had a wait of 0, which gateway would the rule \"smallest wait\" love?",
        "from edgediff.world.delay import Array",
    ),
    Exercise(
        "eq10", "Eq. (10), violated constraints", 10, "eq10", ("world.objective.violations",),
        "T_act <= T_req (10a); sum_w a_w,b r_w,b <= R_max_b (10b); sum_w c_w <= F_max (10c)",
        "Floats, or arrays that broadcast. The result counts the violated ones of (10a) late, (10b) more bandwidth\n"
        "requested than available, (10c) more compute requested than available: 0 to 3.",
        "Grants never exceed a capacity (Eqs. 4, 7). Why is what is requested counted, not what is granted?",
        "from edgediff.world.objective import Array",
    ),
    Exercise(
        "eq13", "Eq. (13), reward", 5, "eq13", ("world.objective.reward",),
        "r = -(alpha H_d + beta H_r + kappa phi)",
        "Floats, or arrays of one shape. `cost` is alpha H_d + beta H_r, `phi` the number of violations, "
        "`penalty` kappa.",
        "Can the reward be positive? What does a flow look like that earns it?",
        "from edgediff.world.objective import Array",
    ),
    Exercise(
        "eq15", "Eqs. (14), (15), value and target", 20, "eq15",
        ("learner.losses.state_value", "learner.losses.td_target"),
        "y_i = r_i + gamma min_{k=1,2} Q_{psi_k}(s'_i, pi_theta(s'_i))",
        "pi and q (B, A) -> value (B,). `n_step_return`, `discount` and `next_value` (B,) -> y (B,). `q` is "
        "min_k Q'_k\n"
        "already; `discount` is gamma^m for a return of m steps, and already 0 where the episode truly ended.",
        "pi_theta(s') is a distribution over 24 actions. Is Q(s', pi(s')) the largest value, or the expected one?",
    ),
    Exercise(
        "eq16", "Eq. (16), critic loss", 10, "eq16", ("learner.losses.critic_loss",),
        "L_Q = 1/B sum_i (Q_{psi_k}(s_i, a_i) - y_i)^2",
        "q1, q2 (B, A); action (B,), integers; target (B,) -> scalar, the sum of both critics' losses.",
        "`q1.gather(1, action[:, None])` is (B, 1). What is its difference to a target (B,), and why does "
        "nothing fail?",
    ),
    Exercise(
        "eq17", "Eq. (17), soft update", 5, "eq17", ("learner.losses.polyak",),
        "psi'_k <- tau psi_k + (1 - tau) psi'_k",
        "target and online: two lists of tensors, pair by pair of one shape. Changes those of target in "
        "place; returns nothing.",
        "With tau = 0.005, after how many updates has half of an old target gone?",
    ),
    Exercise(
        "eq18", "Eq. (18), forward noising", 15, "eq18",
        ("learner.diffusion.forward_step", "learner.diffusion.forward_marginal"),
        "q(a_i | a_{i-1}) = N(a_i; sqrt(alpha_i) a_{i-1}, (1 - alpha_i) I)",
        "a and eps (B, A), eps ~ N(0, I); alpha_i, alpha_bar_i floats, or tensors that broadcast -> a_i (B, A).\n"
        "The second function takes all i steps at once; derive it. alpha_bar_i = alpha_1 alpha_2 ... alpha_i.",
        "Two steps add two independent noises. What is the variance of a_2, given a_0?",
    ),
    Exercise(
        "eq19", "Eq. (19), the reverse chain", 20, "eq19", ("learner.diffusion.denoise",),
        "p_theta(a_{0:N} | s_t) = N(a_N; 0, I) prod_{i=1}^N p_theta(a_{i-1} | a_i, s_i)",
        "noise (N, B, A): a_N, then the z of steps N .. 2. `predict_noise(a_i, i)` (B, A); `schedule` holds "
        "beta, alpha\n"
        "and alpha_bar, step i at index i - 1; `reverse_mean(a_i, eps, alpha_i, alpha_bar_i)` is Eq. (21) -> logits "
        "a_0 (B, A).",
        "The paper adds noise at every step. What would noise at i = 1 do to the logits of the policy?",
        "from collections.abc import Callable\n\n"
        "from edgediff.learner.diffusion import Schedule, reverse_mean, reverse_step",
    ),
    Exercise(
        "eq21", "Eq. (21), the mean of a reverse step", 25, "eq21", ("learner.diffusion.reverse_mean",),
        "mu_theta(a_i, s_i, i) = 1 / sqrt(alpha_i) (a_i - beta_i / sqrt(1 - alpha_i) eps_theta(a_i, s_i, i))",
        "a_i and eps_theta (B, A); alpha_i, alpha_bar_i floats, or tensors that broadcast -> (B, A).\n"
        "beta_i = 1 - alpha_i.",
        "Solve the closed form of Eq. (18) for a_0, and put it into Bayes' rule for a_{i-1}. Is the printed "
        "form right?",
    ),
    Exercise(
        "eq22", "Eq. (22), variance schedule", 10, "eq22", ("learner.diffusion.variance_schedule",),
        "beta_i = 1 - exp(-beta_min / N - 0.5 (beta_max - beta_min) (2i - 1) / N^2)",
        "-> Schedule(beta, alpha, alpha_bar), each a torch tensor (N,) in float64.",
        "alpha_bar_N does not depend on N. Why?",
        "from edgediff.learner.diffusion import Schedule",
    ),
    Exercise(
        "eq24", "Eq. (24), a whole reverse step", 10, "eq24", ("learner.diffusion.reverse_step_expanded",),
        "a_{i-1} = 1 / sqrt(alpha_i) a_i - beta_i / alpha_i sqrt(alpha_i) eps_theta(a_i, s_i, i) + sqrt(beta_i) eps",
        "a_i, eps_theta, z (B, A); alpha_i, alpha_bar_i floats -> (B, A). beta_i = 1 - alpha_i; z is the second eps.",
        "It should be Eq. (21) put into Eq. (23), mean + sqrt(beta_i) z. Does the print agree with Eq. (21), as "
        "printed or as it should be?",
    ),
    Exercise(
        "eq25", "Eq. (25), diffusion loss", 15, "eq25",
        ("learner.losses.clean_latent", "learner.losses.diffusion_loss"),
        "L_d = E[ || eps - eps_theta(a_i, s_i, i) ||^2 ]",
        "q (B, A) -> a_0 (B, A): c (onehot(argmax_a Q) - 1 / A), with c such that softmax(a_0) gives the "
        "best action\n"
        "the probability `confidence`. eps, eps_theta (B, A) -> scalar: the sum over A, the mean over B.",
        "An image model has pictures for a_0. The paper does not say what a_0 is here. What else could it be?",
    ),
    Exercise(
        "line16", "Algorithm 1, line 16, the objective J", 20, "line16", ("learner.losses.actor_objective",),
        "theta <- theta + alpha_pi grad J(pi_theta)          (the paper has no formula for J)",
        "log_pi, q (B, A) -> scalar: the mean over states of [sum_a pi Q + temperature H(pi)], to be maximised.",
        "For given Q, which pi makes J largest? Show that the gradient is 0 there. What does that say about a chain?",
    ),
    Exercise(
        "nstep", "The n-step return of Table 1", 15, "eq15", ("learner.nstep.n_step_return",),
        "n-step = 3, n-step TD learning          (Table 1; Eq. (15) prints r_i alone)",
        "reward (n, B); last (n, B), true at a step behind which nothing counts -> sum_{j < m} gamma^j "
        "r_{t+j} (B,),\n"
        "and the number of steps m (B,), integers from 1 to n.",
        "What does a larger n buy, and what does it pay with?",
    ),
    Exercise(
        "reservations", "Algorithm 1, line 7: reserve what was granted", 15, "line07",
        ("world.reservations.reserve",),
        "execute a_t          (nothing else is printed)",
        "held (E, slots) or (E, slots, G), changed in place; where: a tuple, (rows,) or (rows, gateways), each (K,);\n"
        "start, stop "
        "(K,) integers; amount (K,). Adds amount[k] to slots start[k] .. stop[k] - 1. A loop over k is fine.",
        "Why is nothing ever subtracted when a flow ends?",
    ),
    Exercise(
        "update", "Algorithm 1, lines 11-19: one gradient step", 60, "line11", ("learner.d2sac.D2SAC.update",),
        "lines 11-19: targets; critics; theta <- theta + alpha_pi grad J; minimise L_d; psi' <- tau psi + (1 "
        "- tau) psi'",
        "A method: `self` is the agent, `batch` has state, action, n_step_return, discount, next_state. At hand are\n\n"
        "    self.actor, self.critics, self.target_actor, self.target_critics\n"
        "    self.optimisers[\"actor\"], self.optimisers[\"critics\"]\n"
        "    self.config.entropy_temperature, .tau, .d2sac_confidence, .d2sac_denoising_steps (N)\n"
        "    self.config.d2sac_diffusion_weight (w)\n"
        "    self.critics(state) -> q1, q2 (B, A);  self.critics.minimum(state) -> min_k Q_k (B, A);  targets alike\n"
        "    self.draw_noise(state, self.learn_stream) -> the noise of a chain, (N, B, A)\n"
        "    self.log_policy(actor, state, noise) -> log pi (B, A), by a chain of that actor\n"
        "    self.alpha_bar (N,);  self.actor(a_i, state, i) -> the noise that it sees in a_i, (B, A)\n"
        "    gradient_step(optimiser, loss) -> norm of the gradient;  detached(name=value, ...) -> a dict to return\n\n"
        "and the functions of Eqs. (15)-(18), (25) and J. Draw from self.learn_stream in this order: noise of the\n"
        "target's chain, noise of the actor's chain, i (B,) by randint, eps (B, A) by randn. L_d is divided\n"
        "by A. The actor takes one joint step on w L_d - J, with q (B, A) of the critics after their step. Return the\n"
        "batch means loss_q, loss_d, objective, entropy, q (under pi), target, and the norms of the gradients, grad_q\n"
        "and grad_pi.",
        "There are six networks. Which loss moves which of them? What would leak without torch.no_grad()?",
        "from edgediff.learner.agent import detached, gradient_step\n"
        "from edgediff.learner.diffusion import forward_marginal\n"
        "from edgediff.learner.losses import (\n    actor_objective,\n    clean_latent,\n    critic_loss,\n"
        "    diffusion_loss,\n    entropy,\n    polyak,\n    state_value,\n    td_target,\n)\n"
        "from edgediff.learner.replay import Batch",
    ),
    Exercise(
        "step", "Algorithm 1, lines 7 and 21: one step of the network", 30, "line07",
        ("world.simulator.Simulator.step",),
        "execute a_t, observe (r_t, s_{t+1}); s_i <- s_{i+1}",
        "A method: `self` is the simulator. E environments run side by side. At hand are\n\n"
        "    self._check(action) -> action, or an error if it is impossible\n"
        "    self.view() -> what is known now; view.flow (E,) are the flows to decide, with \"slot\" and \"priority\"\n"
        "    outcome(self.world, view, actions) -> an Outcome for K actions (E, K), each field (E, K); K is 1 here\n"
        "    self._commit(flow, result) reserves what was granted; each field of this Outcome is (E,)\n"
        "    self._advance(slot) goes from these slots (E,) to the next flows;  self.observation() -> (E, S)\n"
        "    self.cursor == self.num_flows, (E,): no flow is left\n"
        "    self.next_episode(mask) starts the next episode there, and returns the observation of all\n\n"
        "action (E,) -> observation (E, S); reward, terminated, truncated (E,); info, a dict: the fields of Outcome\n"
        "and \"priority\", each (E,), and \"successor\" (E, S), the true next state, also where an episode has ended.",
        "An episode is cut when its slots are used up. Why is that truncation, and which state must be stored?",
        "from edgediff.world.decision import Outcome, outcome",
    ),
)  # fmt: skip
