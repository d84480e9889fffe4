"""What the page cannot read from the sources: the order of the paper, its equations, and a few words on each.

The equations are in LaTeX. `corrected` is empty where an equation is computed as printed.
"""

from typing import NamedTuple


class Equation(NamedTuple):
    """One numbered equation: its LaTeX as printed, what it says, and its LaTeX as computed here.

    `says` is "as computed here" where the printed equation is wrong or incomplete, and other words where this only
    adds to it.
    """

    printed: str
    words: str
    corrected: str = ""
    says: str = "as computed here"


class Section(NamedTuple):
    """One section: number and title as in the paper, a few words, its equations and its pictures in order.

    A picture is (file below results/, caption, number of the equation it follows, or 0 for the end).
    """

    number: str
    title: str
    words: str
    equations: tuple[int, ...] = ()
    pictures: tuple[tuple[str, str, int], ...] = ()


TITLE = "A Diffusion-based DRL Flow Scheduling for AIGC Services in Edge Network"
AUTHORS = "H. Jiang, Z. Wang, X. Shang, Z. Yu, D. Gao"

EQUATIONS = {
    1: Equation(
        r"f_w(t) = \{D_w(t), c_w(t), p_w(t), T_w^{req}(t)\}",
        "A flow is its data size, its compute workload, its priority and its deadline. All flows of an episode are "
        "drawn before the first decision, so every scheduler meets the same traffic.",
    ),
    2: Equation(
        r"T_w^{act}(t) = T_w^{tx}(t) + T_w^{q}(t) + T_w^{proc}(t) + T_w^{prop}(t)",
        "The delay of a flow has four parts: sending, waiting, processing and propagation.",
    ),
    3: Equation(r"T_w^{tx}(t) = \frac{D_w(t)}{r_{w,b}(t)}", "Sending takes size over granted bandwidth."),
    4: Equation(
        r"\sum_{f \in f_w(t)} r_{w,b}(t) \leq R_b^{avail}(t)",
        "A gateway grants no more than it has: what is requested or what is available, whichever is less.",
        r"\sum_{w \ \text{on} \ g} r_{w,g}(t) \leq R_g^{avail}(t)",
    ),
    5: Equation(
        r"T_w^{q}(t) = \frac{Q_b(t)}{R_b^{avail}(t)}",
        "A new flow waits until the queue of its gateway is sent. The queue drains between decisions.",
    ),
    6: Equation(
        r"T_w^{proc}(t) = \frac{f_w(t)}{c_w(t)}",
        "Processing takes workload over granted compute. With the symbols of Eq. (1) the workload is c_w; the code "
        "calls the workload C and the grant c.",
        r"T_w^{proc}(t) = \frac{C_w(t)}{c_w(t)}",
    ),
    7: Equation(
        r"\sum_w c_w(t) \leq F^{avail}(t)",
        "The edge server grants no more compute than it has. The same function as for Eq. (4).",
    ),
    8: Equation(
        r"T_w^{act}(t) = \frac{D_w(t)}{r_{w,b}(t)} + \frac{Q_b(t)}{R_b^{avail}(t)} + \frac{f_w(t)}{c_w(t)}"
        r" \leq T_w^{req}(t)",
        "A flow is completed if its whole delay is within its deadline.",
        r"T_w^{act}(t) = \frac{D_w(t)}{r_{w,g}(t)} + \frac{Q_g(t)}{R_g^{avail}(t)} + \frac{C_w(t)}{c_w(t)}"
        r" + T_w^{prop}(t) \leq T_w^{req}(t)",
    ),
    9: Equation(
        r"O(t) = \alpha H_d(t) + \beta H_r(t)",
        "The cost weighs two things: how late the flow is, and how unevenly the gateways are used.",
        r"O = \alpha \, (T^{act} - T^{req}) + \beta \, (\max_g U_g - \min_g U_g), \quad"
        r" U_g = 1 - \frac{R_g^{avail}}{R_g^{max}}",
        "spelled out",
    ),
    10: Equation(
        r"\begin{array}{lll} \mathcal{P}0: & \min_{\forall w, \forall b, \forall c} O(t) & \\"
        r" \text{s.t.} & T_w^{act}(t) \leq T_w^{req}(t), \quad \forall w \in W & (10a) \\"
        r" & \sum_{w \in W} a_{w,b}(t) r_{w,b}(t) \leq R_b^{max}(t), \quad \forall b \in B & (10b) \\"
        r" & \sum_{w \in W} c_w(t) \leq F_c^{max}(t), \quad \forall c \in C & (10c) \\"
        r" & a_{w,b}(t) \in \{0, 1\}, \ r_{w,b}(t) \geq 0, \ c_w(t) \geq 0 & (10d) \end{array}",
        "The cost is minimised under four constraints. phi, in Eq. (13), counts those that a decision violates; "
        "a bracket is 1 if what is in it holds, and 0 if not.",
        r"\phi = [T^{act} > T^{req}] + [r^{req} > R_g^{avail}] + [c^{req} > F^{avail}]",
        "what is counted",
    ),
    11: Equation(
        r"s(t) = \{f_w(t), Q(t), R^{avail}(t), F^{avail}(t)\}",
        "The controller sees the flow, queue and free bandwidth of every gateway, and the free compute. With eight "
        "gateways these are 21 numbers.",
    ),
    12: Equation(
        r"a(t) = \{A^{assign}(t), R^{alloc}(t), C^{alloc}(t)\}",
        "An action names a gateway and how much to ask for. With three levels there are 24 actions.",
        r"k \in \{0, \ldots, 3G - 1\}: \quad g = \lfloor k / 3 \rfloor, \quad"
        r" \eta = (1, 1.5, 2)_{k \bmod 3}",
        "as a finite set",
    ),
    13: Equation(
        r"r(t) = -(\alpha H_d(t) + \beta H_r(t) + \kappa \phi(t))",
        "The reward is the cost of Eq. (9) with a penalty for each violated constraint, with a minus sign.",
    ),
    14: Equation(
        r"Q(s(t), a(t)) = \mathbb{E} \left[ r(t) + \gamma \max_{a'} Q(s(t+1), a') \right]",
        "The value of an action if the best action follows. It is Eq. (15) for a greedy policy.",
    ),
    15: Equation(
        r"y_i = r_i + \gamma \min_{k=1,2} Q_{\psi_k}(s'_i, \pi_\theta(s'_i))",
        "The target of the critics: rewards of the next steps, then the smaller estimate of what follows.",
        r"y_t = \sum_{j < m} \gamma^j r_{t+j} + \gamma^m (1 - d_{t+m}) \sum_a \pi_{\theta'}(a | s_{t+m})"
        r" \min_{k=1,2} Q_{\psi'_k}(s_{t+m}, a)",
    ),
    16: Equation(
        r"L_Q = \frac{1}{B} \sum_i (Q_{\psi_k}(s_i, a_i) - y_i)^2",
        "Each critic is fitted to the target on the action that was taken.",
    ),
    17: Equation(
        r"\psi'_k \leftarrow \tau \psi_k + (1 - \tau) \psi'_k, \quad k = 1, 2",
        "The target networks follow slowly. The actor has a target of its own, with the same rule.",
    ),
    18: Equation(
        r"q(a_i | a_{i-1}) = \mathcal{N}(a_i; \sqrt{\alpha_i} a_{i-1}, (1 - \alpha_i) I)",
        "One step adds a little noise. Many steps at once have a closed form, which the loss needs; the paper does "
        "not print it.",
        r"q(a_i | a_0) = \mathcal{N}(a_i; \sqrt{\bar\alpha_i} a_0, (1 - \bar\alpha_i) I)",
        "all i steps at once",
    ),
    19: Equation(
        r"p_\theta(a_{0:N} | s_t) = \mathcal{N}(a_N; 0, I) \prod_{i=1}^N p_\theta(a_{i-1} | a_i, s_i)",
        "The actor starts with pure noise and removes noise in N steps. What remains are the logits of the policy.",
    ),
    20: Equation(
        r"p_\theta(a_{i-1} | a_i, s_i) = \mathcal{N}(a_{i-1}; \mu_\theta(a_i, s_i, i), \beta_i I)",
        "Each step back is a normal distribution around a mean.",
    ),
    21: Equation(
        r"\mu_\theta(a_i, s_i, i) = \frac{1}{\sqrt{\alpha_i}} \left( a_i - \frac{\beta_i}{\sqrt{1 - \alpha_i}}"
        r" \epsilon_\theta(a_i, s_i, i) \right)",
        "The mean: subtract the noise that the network predicts, and scale up again.",
        r"\mu_\theta(a_i, s_t, i) = \frac{1}{\sqrt{\alpha_i}} \left( a_i - \frac{\beta_i}{\sqrt{1 - \bar\alpha_i}}"
        r" \epsilon_\theta(a_i, s_t, i) \right)",
    ),
    22: Equation(
        r"\beta_i = 1 - \exp \left( -\frac{\beta_{min}}{N} - 0.5 (\beta_{max} - \beta_{min})"
        r" \frac{2i - 1}{N^2} \right)",
        "How much noise each step has. Early steps have little, late steps have much.",
    ),
    23: Equation(
        r"a_{i-1} = \mu_\theta(a_i, s_i, i) + \sqrt{\beta_i} \epsilon, \quad \epsilon \sim \mathcal{N}(0, I)",
        "A draw from Eq. (20). The last step adds no noise.",
        r"a_{i-1} = \mu_\theta(a_i, s_t, i) + \sqrt{\beta_i} z \ \text{for} \ i > 1, \quad"
        r" a_0 = \mu_\theta(a_1, s_t, 1)",
    ),
    24: Equation(
        r"a_{i-1} = \frac{1}{\sqrt{\alpha_i}} a_i - \frac{\beta_i}{\alpha_i} \sqrt{\alpha_i}"
        r" \epsilon_\theta(a_i, s_i, i) + \sqrt{\beta_i} \epsilon",
        "Eqs. (21) and (23) in one line.",
        r"a_{i-1} = \frac{1}{\sqrt{\alpha_i}} a_i - \frac{\beta_i}{\sqrt{\alpha_i (1 - \bar\alpha_i)}}"
        r" \epsilon_\theta(a_i, s_t, i) + \sqrt{\beta_i} z",
    ),
    25: Equation(
        r"L_d = \mathbb{E} \left[ \| \epsilon - \epsilon_\theta(a_i, s_i, i) \|^2 \right]",
        "The network learns to predict the noise in a noisy latent. The clean latent is that of the action which the "
        "critics prefer.",
        r"L_d = \mathbb{E} \left[ \| \epsilon - \epsilon_\theta(\sqrt{\bar\alpha_i} a_0 +"
        r" \sqrt{1 - \bar\alpha_i} \epsilon, s, i) \|^2 \right], \quad"
        r" a_0 = c \, (\text{onehot}(\text{argmax}_a \min_k Q_{\psi_k}(s, a)) - \frac{1}{A})",
    ),
    26: Equation(
        r"\pi_\theta(s_t) = \frac{\exp(a_0^{(k)})}{\sum_{k'=1}^K \exp(a_0^{(k')})}, \quad k \in \{1, \ldots, K\}",
        "The logits become probabilities. This is the policy given one draw of the noise.",
        r"\pi_\theta(k | s_t, \text{noise}) = \frac{\exp(a_0^{(k)})}{\sum_{k'=1}^K \exp(a_0^{(k')})}",
    ),
    27: Equation(
        r"O(K \cdot P_d + P_a + P_c)",
        "What an update costs. The code has the printed sum, and beside it the count of what runs.",
    ),
}

SECTIONS = (
    Section(
        "3.1", "System model",
        "Workshops send flows. Each flow goes through one of several gateways to one edge server. A controller sees "
        "the state of the network and decides. Time is cut into slots.",
        (1,), (("pictures/network.png", "The network with the settings of Section 5.1.", 0),),
    ),
    Section("3.2", "Delay model", "How long a flow takes, and what limits it.", (2, 3, 4, 5, 6, 7, 8)),
    Section("3.3", "Problem formulation", "What is minimised, and under which constraints.", (9, 10)),
    Section(
        "4.1", "Markov decision process",
        "The scheduling problem as states, actions and rewards, and the actor-critic that learns from them.",
        (11, 12, 13, 14, 15, 16, 17),
        (("pictures/choices.png", "What the trained policy chooses: gateway (above) and level (below), by required "
          "bandwidth and load.", 12),),
    ),
    Section(
        "4.2", "Diffusion-based policy generation",
        "The actor is a chain of denoising steps. It turns noise into the logits of a policy.",
        (18, 19, 20, 21, 22, 23, 24, 25, 26),
        (
            ("pictures/denoising.png", "The chain of the trained actor in three states. Each column is one draw of "
             "the noise. The lowest row is the average that an evaluation uses.", 19),
            ("pictures/schedule.png", "The variance schedule, and the weight of the predicted noise: right and as "
             "printed.", 24),
        ),
    ),
    Section("4.3", "Computational complexity", "What a decision and an update cost.", (27,)),
)  # fmt: skip

# Algorithm 1, line by line, in words; \(...\) is LaTeX.
ALGORITHM = (
    r"for \(episode = 1\) to \(M\)",
    r"start the environment, observe \(s_0\)",
    r"sample a first action \(a_0 \sim \pi_\theta(s_0)\)",
    r"store \((s_0, a_0)\) in a trajectory",
    r"while the episode goes on",
    r"generate an exploring action \(\tilde{a}_t \sim D_\phi(s_t)\)",
    r"execute \(\tilde{a}_t\), observe \((r_t, s_{t+1})\)",
    r"store \((s_t, \tilde{a}_t, r_t, s_{t+1})\) in \(\mathcal{B}\)",
    r"if \(|\mathcal{B}| \geq B\)",
    r"sample a batch \(\{(s_i, a_i, r_i, s'_i)\}_{i=1}^{B}\) from \(\mathcal{B}\)",
    r"compute the targets:",
    r"\(y_i = r_i + \gamma \min_{k=1,2} Q_{\psi'_k}(s'_i, \pi_\theta(s'_i))\)",
    r"update the critics:",
    r"\(\psi_k \leftarrow \psi_k - \alpha_Q \nabla_{\psi_k} \frac{1}{B} \sum_i (Q_{\psi_k}(s_i, a_i) - y_i)^2\)",
    r"update the actor by its policy gradient:",
    r"\(\theta \leftarrow \theta + \alpha_\pi \nabla_\theta J(\pi_\theta)\)",
    r"update the diffusion model \(\phi\) by minimising \(L_d\)",
    r"update the target critics:",
    r"\(\psi'_k \leftarrow \tau \psi_k + (1 - \tau) \psi'_k, \ k = 1, 2\)",
    r"end if",
    r"\(s_i \leftarrow s_{i+1}\)",
    r"end while",
    r"from time to time evaluate \(\pi_\theta\) and save the best",
    r"end for",
    r"return \(\pi_\theta^*\)",
)

# Table 1: symbol in LaTeX, value as printed, and the words by which the text of a field names the symbol.
TABLE_1 = (
    (r"\gamma", "0.95", "gamma,"),
    (r"\alpha", "0.05", "alpha of Table 1"),
    (r"\tau", "0.005", "tau,"),
    ("B", "512", "B,"),
    (r"\mathcal{B}", "1,000,000", "replay buffer"),
    ("T_d", "10", "T_d of Table 1"),
    ("h", "256", "h,"),
    ("M", "1000", "M,"),
    (r"N_{step/epoch}", "100", "N_step/epoch"),
    (r"N_{step/collect}", "1000", "N_step/collect"),
    (r"\eta_{actor}", "1e-4", "eta_actor"),
    (r"\eta_{critic}", "1e-4", "eta_critic"),
    ("n", "3", "n of n-step"),
    (r"\lambda_{wd}", "1e-4", "lambda_wd"),
)

RESULT_PICTURES = (
    ("pictures/timelines.png", "One episode at every gateway: round robin above, d2sac below, on the same traffic."),
    ("figure4.png", "Figure 4 of the paper, measured again: reward while training."),
    ("figure5.png", "Figure 5, measured again: completion, in both readings of its x axis."),
    ("figure6.png", "Figure 6, measured again: latency, in both readings of its x axis."),
)
