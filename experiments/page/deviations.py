"""The kinds of deviation, and the LaTeX for what the table in edgediff/README.md writes in plain text."""

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of deviation: its word in the table, its class in the CSS, and what the legend says."""

    word: str
    name: str
    legend: str


KINDS = (
    Kind("misprint", "misprint", "what is printed cannot be meant, or contradicts other parts of the paper"),
    Kind("gap filled", "gap", "the paper does not say it, but a program needs it"),
    Kind("own choice", "choice", "the paper can be followed here, and we do something else or something more"),
)

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


def typeset(cell: str) -> str:
    r"""Put LaTeX between \( and \) in place of the plain formulas of a cell."""
    return PLAIN.sub(lambda found: rf"\({LATEX[found[1]]}\)", cell)
