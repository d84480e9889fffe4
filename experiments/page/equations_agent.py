"""Eqs. (14)-(27) of the paper in LaTeX: targets, the chain, its loss, its cost. See equations.py."""

from experiments.page.equations import Equation

AGENT = {
    14: Equation(
        "Bellman equation with a maximum",
        r"Q(s(t), a(t)) = \mathbb{E} \left[ r(t) + \gamma \max_{a'} Q(s(t+1), a') \right]",
        "The value of an action if the best action follows. It is Eq. (15) for a greedy policy.",
    ),
    15: Equation(
        "Target of the critics",
        r"y_i = r_i + \gamma \min_{k=1,2} Q_{\psi_k}(s'_i, \pi_\theta(s'_i))",
        "The target of the critics: rewards of the next steps, then the smaller estimate of what follows. A prime on "
        "a network marks its target network; a prime on a state marks the next state.",
        r"y_t = \class{new}{\sum_{j < m} \gamma^j r_{t+j}} + \gamma^{\class{new}{m}} \class{new}{(1 - d_{t+m}) \sum_a "
        r"\pi'(a | s_{t+m})} \min_{k=1,2} \class{new}{Q'_k}(s_{t+m}, a)",
    ),
    16: Equation(
        "Critic loss",
        r"L_Q = \frac{1}{B} \sum_i (Q_{\psi_k}(s_i, a_i) - y_i)^2",
        "Each critic is fitted to the target on the action that was taken.",
    ),
    17: Equation(
        "Soft update",
        r"\psi'_k \leftarrow \tau \psi_k + (1 - \tau) \psi'_k, \quad k = 1, 2",
        "The target networks follow slowly. The actor has a target of its own, with the same rule.",
    ),
    18: Equation(
        "Adding noise",
        r"q(a_i | a_{i-1}) = \mathcal{N}(a_i; \sqrt{\alpha_i} a_{i-1}, (1 - \alpha_i) I)",
        "One step adds a little noise. Many steps at once have a closed form, which the loss needs; the paper does "
        "not print it.",
        r"q(a_i | a_0) = \mathcal{N}(a_i; \sqrt{\bar\alpha_i} a_0, (1 - \bar\alpha_i) I)",
        "all i steps at once",
    ),
    19: Equation(
        "The chain back from noise",
        r"p_\theta(a_{0:N} | s_t) = \mathcal{N}(a_N; 0, I) \prod_{i=1}^N p_\theta(a_{i-1} | a_i, s_i)",
        "The actor starts with pure noise and removes noise in N steps. What remains are the logits of the policy.",
    ),
    20: Equation(
        "One step back",
        r"p_\theta(a_{i-1} | a_i, s_i) = \mathcal{N}(a_{i-1}; \mu_\theta(a_i, s_i, i), \beta_i I)",
        r"Each step back is a normal distribution around a mean. The \(s_i\) of Eqs. (19) to (25) is the state "
        r"\(s_t\): it is the same at every step of the chain.",
    ),
    21: Equation(
        "Mean of a step back",
        r"\mu_\theta(a_i, s_i, i) = \frac{1}{\sqrt{\alpha_i}} \left( a_i - \frac{\beta_i}{\sqrt{1 - \alpha_i}}"
        r" \epsilon_\theta(a_i, s_i, i) \right)",
        "The mean: subtract the noise that the network predicts, and scale up again.",
        r"\mu_\theta(a_i, s_t, i) = \frac{1}{\sqrt{\alpha_i}} \left( a_i - \frac{\beta_i}{\sqrt{1 - "
        r"\class{new}{\bar\alpha_i}}} \epsilon_\theta(a_i, s_t, i) \right)",
    ),
    22: Equation(
        "Variance schedule",
        r"\beta_i = 1 - \exp \left( -\frac{\beta_{min}}{N} - 0.5 (\beta_{max} - \beta_{min})"
        r" \frac{2i - 1}{N^2} \right)",
        "How much noise each step has. Early steps have little, late steps have much.",
    ),
    23: Equation(
        "A draw of one step",
        r"a_{i-1} = \mu_\theta(a_i, s_i, i) + \sqrt{\beta_i} \epsilon, \quad \epsilon \sim \mathcal{N}(0, I)",
        r"A draw from Eq. (20). The last step adds no noise. We write \(z\) for the noise that a step adds, since "
        r"\(\epsilon\) is the noise that the network predicts.",
        r"a_{i-1} = \mu_\theta(a_i, s_t, i) + \sqrt{\beta_i} z \ \class{new}{\text{for} \ i > 1, \quad"
        r" a_0 = \mu_\theta(a_1, s_t, 1)}",
    ),
    24: Equation(
        "One step in one line",
        r"a_{i-1} = \frac{1}{\sqrt{\alpha_i}} a_i - \frac{\beta_i}{\alpha_i} \sqrt{\alpha_i}"
        r" \epsilon_\theta(a_i, s_i, i) + \sqrt{\beta_i} \epsilon",
        "Eqs. (21) and (23) in one line.",
        r"a_{i-1} = \frac{1}{\sqrt{\alpha_i}} a_i - \frac{\beta_i}{\class{new}{\sqrt{\alpha_i (1 - \bar\alpha_i)}}}"
        r" \epsilon_\theta(a_i, s_t, i) + \sqrt{\beta_i} z",
    ),
    25: Equation(
        "Diffusion loss",
        r"L_d = \mathbb{E} \left[ \| \epsilon - \epsilon_\theta(a_i, s_i, i) \|^2 \right]",
        "The network learns to predict the noise in a noisy latent. The clean latent is that of the action which the "
        "critics prefer.",
        r"L_d = \mathbb{E} \left[ \| \epsilon - \epsilon_\theta(\sqrt{\bar\alpha_i} \class{new}{a_0} +"
        r" \sqrt{1 - \bar\alpha_i} \epsilon, s, i) \|^2 \right], \quad"
        r" \class{new}{a_0 = c \, (\text{onehot}(\text{argmax}_a \min_k Q_{\psi_k}(s, a)) - \frac{1}{A})}",
        "spelled out, with the clean latent that the paper does not define",
    ),
    26: Equation(
        "Policy",
        r"\pi_\theta(s_t) = \frac{\exp(a_0^{(k)})}{\sum_{k'=1}^K \exp(a_0^{(k')})}, \quad k \in \{1, \ldots, K\}",
        "The logits become probabilities. This is the policy given one draw of the noise.",
        r"\pi_\theta(\class{new}{k} | s_t, \class{new}{\text{noise}}) = \frac{\exp(a_0^{(k)})}{\sum_{k'=1}^K "
        r"\exp(a_0^{(k')})}",
    ),
    27: Equation(
        "Cost of an update",
        r"O(K \cdot P_d + P_a + P_c)",
        "What an update costs. The code has the printed sum, and beside it the count of what runs.",
    ),
}
