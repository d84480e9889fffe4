"""What the page cannot read from the sources: the order of the paper, Algorithm 1, Table 1, and the pictures."""

from typing import NamedTuple

from experiments.page.prose import equations


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

EQUATIONS = equations()

SECTIONS = (
    Section(
        "3.1", "System model",
        "Workshops send flows. Each flow goes through one of several gateways to one edge server. A controller sees "
        "the state of the network and decides. Time is cut into slots.",
        (1,), (("pictures/network.svg", "The network with the settings of Section 5.1. Dashed: what the controller "
                "sees, the state of Eq. (11), and what it decides.", 0),),
    ),
    Section("3.2", "Delay model", "How long a flow takes, and what limits it.", (2, 3, 4, 5, 6, 7, 8)),
    Section("3.3", "Problem formulation", "What is minimised, and under which constraints.", (9, 10)),
    Section(
        "4.1", "Markov decision process",
        "The scheduling problem as states, actions and rewards, and the actor-critic that learns from them.",
        (11, 12, 13, 14, 15, 16, 17),
        (("pictures/choices.png", "What the agent of the repository (preset deploy) chooses: gateway (above) and level "
          "(below), by required bandwidth and load. The more load, the lower the level.", 12),
         ("pictures/agent.svg", "The paper's Figure 3, redrawn with the equation and the function of every arrow. Red: "
          "gradients. Purple and dashed: targets that follow slowly.", 0)),
    ),
    Section(
        "4.2", "Diffusion-based policy generation",
        "The actor is a chain of denoising steps. It turns noise into the logits of a policy.",
        (18, 19, 20, 21, 22, 23, 24, 25, 26),
        (
            ("pictures/denoising.png", "The chain of an actor that the preset quick has trained, in three states. Each "
             "column is one draw of the noise. The lowest row is the mean by which an evaluation decides: with "
             "gateway 6 full, it moves to gateway 5.", 19),
            ("pictures/schedule.svg", "The variance schedule, and the weight of the predicted noise: correct and as "
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
    r"if \({|\mathcal{B}|} \geq B\)",
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
    ("pictures/timelines.png", "One episode at every gateway, on the same traffic: round robin above, the agent of the "
     "repository (preset deploy) below."),
    ("figure4.png", "Figure 4 of the paper, measured again: reward while training."),
    ("figure5.png", "Figure 5, measured again: completion while the agents train, and, frozen, against the load. Right "
     "below: less that of sac on the same traffic."),
    ("figure6.png", "Figure 6, measured again: latency while the agents train, and, frozen, against the load. Right "
     "below: less that of sac on the same traffic."),
)  # fmt: skip
