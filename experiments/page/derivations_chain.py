"""Derivations for the chain, Eqs. (18)-(25). See derivations.py."""

from experiments.page.derivations import Derivation

MARGINAL = Derivation(
    "derive-marginal",
    "eq18",
    "All steps at once",
    (
        r"With \(\bar\alpha_i = \prod_{j \leq i} \alpha_j\), suppose that \(i - 1\) steps have the closed form. Put "
        "it into one more step of Eq. (18):",
        r"$a_i = \sqrt{\alpha_i} \left( \sqrt{\bar\alpha_{i-1}} a_0 + \sqrt{1 - \bar\alpha_{i-1}} \epsilon' \right)"
        r" + \sqrt{1 - \alpha_i} \epsilon''",
        r"The factor of \(a_0\) is \(\sqrt{\alpha_i \bar\alpha_{i-1}} = \sqrt{\bar\alpha_i}\). Both noises are "
        "independent and normal, so their sum is normal, and the variances add:",
        r"$\alpha_i (1 - \bar\alpha_{i-1}) + 1 - \alpha_i = 1 - \bar\alpha_i",
        r"For \(i = 1\) the closed form is Eq. (18) itself, so it holds for every \(i\). Therefore",
        r"$a_i = \sqrt{\bar\alpha_i} a_0 + \sqrt{1 - \bar\alpha_i} \epsilon",
        r"Remember this \(\epsilon\): it is **all** the noise in \(a_i\), of size \(\sqrt{1 - \bar\alpha_i}\), and "
        r"not that of the last step, of size \(\sqrt{1 - \alpha_i}\). The network predicts this \(\epsilon\).",
    ),
)

MEAN = Derivation(
    "derive-mean",
    "eq21",
    "Why the bar: Eq. (21) from Bayes' rule",
    (
        r"We want the mean of \(a_{i-1}\) if we know \(a_i\), and first suppose that we know \(a_0\) too. By Bayes' "
        "rule",
        r"$q(a_{i-1} | a_i, a_0) \propto q(a_i | a_{i-1}) \, q(a_{i-1} | a_0)",
        r"Both factors are normal: Eq. (18), and its closed form for \(i - 1\) steps. As a function of \(a_{i-1}\), "
        "the exponent is",
        r"$-\frac{1}{2} \left[ \frac{(a_i - \sqrt{\alpha_i} a_{i-1})^2}{\beta_i} +"
        r" \frac{(a_{i-1} - \sqrt{\bar\alpha_{i-1}} a_0)^2}{1 - \bar\alpha_{i-1}} \right]",
        r"A normal distribution again. Its inverse variance is the factor of \(a_{i-1}^2\) in the brackets, and since "
        r"\(\alpha_i (1 - \bar\alpha_{i-1}) + \beta_i = 1 - \bar\alpha_i\),",
        r"$\frac{\alpha_i}{\beta_i} + \frac{1}{1 - \bar\alpha_{i-1}} ="
        r" \frac{1 - \bar\alpha_i}{\beta_i (1 - \bar\alpha_{i-1})}",
        r"The mean is the variance times the factor of \(a_{i-1}\) in the whole exponent:",
        r"$\mathbb{E}[a_{i-1} | a_i, a_0] = \frac{\sqrt{\alpha_i} (1 - \bar\alpha_{i-1}) a_i +"
        r" \sqrt{\bar\alpha_{i-1}} \beta_i a_0}{1 - \bar\alpha_i}",
        r"The actor does not know \(a_0\). But it predicts the noise, and the closed form of Eq. (18), solved for "
        r"\(a_0\), turns a noise into an \(a_0\):",
        r"$a_0 = \frac{a_i - \sqrt{1 - \bar\alpha_i} \epsilon_\theta}{\sqrt{\bar\alpha_i}}",
        r"Put this in. With \(\bar\alpha_i = \alpha_i \bar\alpha_{i-1}\), the factor of \(a_i\) becomes",
        r"$\frac{1}{1 - \bar\alpha_i} \left( \sqrt{\alpha_i} (1 - \bar\alpha_{i-1}) + \frac{\beta_i}{\sqrt{\alpha_i}} "
        r"\right) = \frac{\alpha_i - \bar\alpha_i + \beta_i}{\sqrt{\alpha_i} (1 - \bar\alpha_i)} = "
        r"\frac{1}{\sqrt{\alpha_i}}",
        r"and the factor of \(\epsilon_\theta\) becomes",
        r"$-\frac{\beta_i}{\sqrt{\alpha_i}} \cdot \frac{\sqrt{1 - \bar\alpha_i}}{1 - \bar\alpha_i} ="
        r" -\frac{1}{\sqrt{\alpha_i}} \cdot \frac{\beta_i}{\sqrt{1 - \class{new}{\bar\alpha_i}}}",
        r"Together this is Eq. (21) with the bar. At \(i = 1\) both forms agree, since \(\bar\alpha_1 = \alpha_1\). "
        r"From \(i = 2\) on the printed form subtracts \(\sqrt{(1 - \bar\alpha_i) / (1 - \alpha_i)}\) times as much: "
        r"1.16 to 1.41 times for N = 10. Eq. (24) as printed errs the other way: it lacks \(1 / \sqrt{1 - "
        r"\bar\alpha_i}\) and subtracts too little.",
        r"Training hides the error: \(J\) sees only the logits at the end of the chain, and a network can learn to "
        "predict another size of noise. In the ablations the printed Eq. (21) makes no difference that three seeds "
        "can show; the printed Eq. (24) costs a little ([ablations](experiments/README.md#ablations)).",
    ),
)

ALPHA_BAR = Derivation(
    "derive-alpha-bar",
    "eq22",
    "The closed form of \\(\\bar\\alpha_i\\)",
    (
        r"Eq. (22) gives \(\ln \alpha_j = \ln (1 - \beta_j)\) without the exponential. Add it up, with "
        r"\(\sum_{j \leq i} (2j - 1) = i^2\):",
        r"$\bar\alpha_i = \prod_{j \leq i} \alpha_j = \exp \left( -\beta_{min} \frac{i}{N} -"
        r" \frac{\beta_{max} - \beta_{min}}{2} \left( \frac{i}{N} \right)^2 \right)",
        r"Only \(i / N\) enters. So all schedules lie on one curve, and N says at how many points the chain stops on "
        r"it. At its end, with \(\beta_{min} = 0.1\) and \(\beta_{max} = 10\), \(\bar\alpha_N = e^{-5.05} = 0.0064\) "
        "for every N: of a clean latent 8 % are left, the rest is noise. Going back, an untrained chain amplifies "
        r"its noise \(1 / \sqrt{\bar\alpha_N} = 12.5\) times, so each draw is almost one-hot: this is how the agent "
        "explores at first.",
    ),
)

TEACHER = Derivation(
    "derive-teacher",
    "eq25",
    "What \\(L_d\\) teaches the actor",
    (
        r"Eq. (25) needs a clean latent \(a_0\), and nobody supplies one: there is no expert. Here the critics do. "
        r"Given a state, \(a_0\) is fixed, so the noise in \(a_i\) can be told exactly, and the best network is",
        r"$\epsilon_\theta(a_i, s, i) = \frac{a_i - \sqrt{\bar\alpha_i} a_0}{\sqrt{1 - \bar\alpha_i}}",
        r"To know it, the network must know \(a_0\), that is, which action the critics prefer in \(s\). With it the "
        r"loss is 0, and the chain returns \(a_0\) from any noise (`test_a_chain_with_a_perfect_oracle_returns_a_0`). "
        r"A network that always answers 0 has the loss 1 per coordinate. So \(L_d\) is a teacher: it is supervised "
        "learning of the preferred action, at every step of the chain on its own, with no gradient through the chain.",
        r"How sure should the taught action be? All entries of \(a_0\) are equal but one, which is larger by \(c\), so",
        r"$\text{softmax}(a_0)_{best} = \frac{e^c}{e^c + A - 1} = 0.9 \quad \text{if} \quad c = \ln \frac{0.9 (A - "
        r"1)}{0.1}, \quad c = 5.33 \ \text{for} \ A = 24",
        r"The two losses do not agree. \(J\) wants \(\text{softmax}(Q / \alpha)\), which hesitates where values are "
        r"close; \(L_d\) wants 0.9 on one action, however close the second. Measured "
        r"([ablations](experiments/README.md#ablations)): \(L_d\) alone is clearly worse, a larger weight is worse, "
        r"and without \(L_d\) the agent is level at load 1 and completes more at load 2. It is the paper's loss, so "
        "the headline keeps it.",
    ),
)

CHAIN = MARGINAL, MEAN, ALPHA_BAR, TEACHER
