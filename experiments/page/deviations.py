r"""What kind each deviation is, and the LaTeX for what the table in edgediff/README.md writes in plain text.

The first column of KINDS repeats the second column of that table, "in the paper"; a test holds both complete.
"""

import re
from typing import NamedTuple

from experiments.page.sources import Deviation


class Kind(NamedTuple):
    """A kind of deviation: its word, its class in the CSS, and what the legend says."""

    word: str
    name: str
    legend: str


MISPRINT = Kind("misprint", "misprint", "what is printed cannot be meant, or contradicts other parts of the paper")
GAP = Kind("gap filled", "gap", "the paper does not say it, but a program needs it")
CHOICE = Kind("own choice", "choice", "the paper can be followed here, and we do something else or something more")

KINDS = {
    MISPRINT: (
        "sum over f in f_w(t), which is a tuple",
        "f_w / c_w, with symbols exchanged against Eq. 1",
        "a max backup in one, the value of the policy in the other",
        "online critics, no mask, one step, a deterministic policy",
        "sqrt(1 - alpha_i)",
        "noise at every step",
        "beta_i / alpha_i * sqrt(alpha_i)",
        "k is missing on the left",
        "s_i <- s_{i+1}",
    ),
    GAP: (
        "waiting time Q / R_avail only",
        "the server's compute is limited",
        "index w is free; seconds are added to a ratio",
        "H_r is a difference of bandwidth utilisations",
        "phi counts violated constraints, and allocations never violate 10b, 10c",
        "no scale is given",
        "continuous allocations, yet a finite set of actions",
        "the single step only",
        "a_0 and the expectation are not defined",
        "an MLP; activation and output are not said",
        "\"terminal\"",
        "which policy is evaluated is not said",
        "the entropy temperature is in no equation",
        "100 steps per epoch, 1000 per collection",
        "lambda has no unit",
        "no data sizes, no compute",
        "how available bandwidth varies is not said",
        "what happens to very late flows",
        "what follows the last flow of an episode",
        "the wait at a gateway without bandwidth",
        "sizes in a request log",
    ),
    CHOICE: (
        "leaves out T_prop",
        "one action per time slot",
        "\"the actor network is updated via the policy gradient using the main critic Q_psi1\"",
        "variance beta_i",
        "K P_d + P_a + P_c",
        "a policy network beside a diffusion model, two updates",
        "a_0 is stored in a trajectory that nothing uses",
    ),
}  # fmt: skip

# Plain text of the table -> LaTeX. A longer text goes before a shorter one that it holds.
LATEX = {
    "beta_i / sqrt(alpha_i (1 - alpha_bar_i))": r"\beta_i / \sqrt{\alpha_i (1 - \bar\alpha_i)}",
    "beta_i / alpha_i * sqrt(alpha_i)": r"(\beta_i / \alpha_i) \sqrt{\alpha_i}",
    "sqrt(1 - alpha_bar_i)": r"\sqrt{1 - \bar\alpha_i}",
    "sqrt(1 - alpha_i)": r"\sqrt{1 - \alpha_i}",
    "1 - R_avail / R_max": r"1 - R^{avail} / R^{max}",
    "softmax(a_0) = 0.9": r"\text{softmax}(a_0) = 0.9",
    "K P_d + P_a + P_c": r"K P_d + P_a + P_c",
    "f in f_w(t)": r"f \in f_w(t)",
    "f_w / c_w": r"f_w / c_w",
    "s_i <- s_{i+1}": r"s_i \leftarrow s_{i+1}",
    "s_t <- s_{t+1}": r"s_t \leftarrow s_{t+1}",
    "D = b T_req / 2": r"D = b \, T^{req} / 2",
    "D and T_req": r"D\) and \(T^{req}",
    "Q / R_avail": r"Q / R^{avail}",
    "min_k Q_k": r"\min_k Q_k",
    "Q_psi1": r"Q_{\psi_1}",
    "alpha (1/s) and beta": r"\alpha\) (1/s) and \(\beta",
    "R_avail": r"R^{avail}",
    "R_total": r"R^{total}",
    "F_avail": r"F^{avail}",
    "T_prop": r"T^{prop}",
    "T_act": r"T^{act}",
    "H_d": "H_d",
    "H_r": "H_r",
    "L_d": "L_d",
    "a_i": "a_i",
    "a_0": "a_0",
    "beta_i": r"\beta_i",
    "pi(k given s)": r"\pi(k | s)",
    "i >= 2": r"i \geq 2",
    "i = 1": "i = 1",
    "N = 10": "N = 10",
    "phi": r"\phi",
    "lambda": r"\lambda",
    "gamma": r"\gamma",
}
PLAIN = re.compile(rf"(?<![\w`])({'|'.join(map(re.escape, LATEX))})(?!\w)")


def kind_of(row: Deviation) -> Kind:
    """Return the kind of a deviation."""
    for kind, printed in KINDS.items():
        if row.printed in printed:
            return kind
    raise LookupError(f"experiments/page/deviations.py names no kind for {row.where}: {row.printed!r}")


def typeset(cell: str) -> str:
    r"""Put LaTeX between \( and \) in place of the plain formulas of a cell."""
    return PLAIN.sub(lambda found: rf"\({LATEX[found[1]]}\)", cell)
