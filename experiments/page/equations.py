r"""Eqs. (1)-(13) of the paper in LaTeX, with a title and a few words on each; Eqs. (14)-(27) are in equations_agent.py.

`corrected` is empty where an equation is computed as printed. `\class{new}{...}` marks what is not as printed.
"""

from typing import NamedTuple


class Equation(NamedTuple):
    """One numbered equation: its title, its LaTeX as printed, what it says, and its LaTeX as computed here.

    `says` is "as computed here" where the printed equation is wrong or incomplete, and other words where this only
    adds to it.
    """

    title: str
    printed: str
    words: str
    corrected: str = ""
    says: str = "as computed here"


WORLD = {
    1: Equation(
        "A flow",
        r"f_w(t) = \{D_w(t), c_w(t), p_w(t), T_w^{req}(t)\}",
        "A flow is its data size, its compute workload, its priority and its deadline. All flows of an episode are "
        "drawn before the first decision, so every scheduler meets the same traffic.",
    ),
    2: Equation(
        "Delay of a flow",
        r"T_w^{act}(t) = T_w^{tx}(t) + T_w^{q}(t) + T_w^{proc}(t) + T_w^{prop}(t)",
        "The delay of a flow has four parts: sending, waiting, processing and propagation.",
    ),
    3: Equation("Sending", r"T_w^{tx}(t) = \frac{D_w(t)}{r_{w,b}(t)}", "Sending takes size over granted bandwidth."),
    4: Equation(
        "Bandwidth of a gateway",
        r"\sum_{f \in f_w(t)} r_{w,b}(t) \leq R_b^{avail}(t)",
        r"A gateway grants no more than it has: what is requested or what is available, whichever is less. The "
        r"gateway is called \(b\) here and \(g\) in Section 3.1; the code says \(g\).",
        r"\sum_{\class{new}{w \ \text{on} \ g}} r_{w,g}(t) \leq R_g^{avail}(t)",
    ),
    5: Equation(
        "Waiting",
        r"T_w^{q}(t) = \frac{Q_b(t)}{R_b^{avail}(t)}",
        "A new flow waits until the queue of its gateway is sent. The queue drains between decisions.",
    ),
    6: Equation(
        "Processing",
        r"T_w^{proc}(t) = \frac{f_w(t)}{c_w(t)}",
        r"Processing takes workload over granted compute. With the symbols of Eq. (1) the workload is \(c_w\); the "
        r"code calls the workload \(C\) and the grant \(c\).",
        r"T_w^{proc}(t) = \frac{\class{new}{C_w(t)}}{c_w(t)}",
    ),
    7: Equation(
        "Compute of the server",
        r"\sum_w c_w(t) \leq F^{avail}(t)",
        "The edge server grants no more compute than it has. The same function as for Eq. (4).",
    ),
    8: Equation(
        "Deadline",
        r"T_w^{act}(t) = \frac{D_w(t)}{r_{w,b}(t)} + \frac{Q_b(t)}{R_b^{avail}(t)} + \frac{f_w(t)}{c_w(t)}"
        r" \leq T_w^{req}(t)",
        "A flow is completed if its whole delay is within its deadline.",
        r"T_w^{act}(t) = \frac{D_w(t)}{r_{w,g}(t)} + \frac{Q_g(t)}{R_g^{avail}(t)} + \frac{\class{new}{C_w(t)}}{c_w(t)}"
        r" + \class{new}{T_w^{prop}(t)} \leq T_w^{req}(t)",
    ),
    9: Equation(
        "Cost of a decision",
        r"O(t) = \alpha H_d(t) + \beta H_r(t)",
        "The cost weighs two things: how late the flow is, and how unevenly the gateways are used.",
        r"O = \alpha \, (T^{act} - T^{req}) + \beta \, (\max_g U_g - \min_g U_g), \quad"
        r" U_g = 1 - \frac{R_g^{avail}}{R_g^{max}}",
        "spelled out",
    ),
    10: Equation(
        "The problem and its constraints",
        r"\begin{array}{lll} \mathcal{P}0: & \min_{\forall w, \forall b, \forall c} O(t) & \\"
        r" \text{s.t.} & T_w^{act}(t) \leq T_w^{req}(t), \quad \forall w \in W & (10a) \\"
        r" & \sum_{w \in W} a_{w,b}(t) r_{w,b}(t) \leq R_b^{max}(t), \quad \forall b \in B & (10b) \\"
        r" & \sum_{w \in W} c_w(t) \leq F_c^{max}(t), \quad \forall c \in C & (10c) \\"
        r" & a_{w,b}(t) \in \{0, 1\}, \ r_{w,b}(t) \geq 0, \ c_w(t) \geq 0 & (10d) \end{array}",
        r"The cost is minimised under four constraints. \(\phi\), in Eq. (13), counts those that a decision violates; "
        "a bracket is 1 if what is in it holds, and 0 if not.",
        r"\phi = [T^{act} > T^{req}] + [r^{req} > R_g^{avail}] + [c^{req} > F^{avail}]",
        "what is counted",
    ),
    11: Equation(
        "State",
        r"s(t) = \{f_w(t), Q(t), R^{avail}(t), F^{avail}(t)\}",
        "The controller sees the flow, queue and free bandwidth of every gateway, and the free compute. With eight "
        "gateways these are 21 numbers.",
    ),
    12: Equation(
        "Action",
        r"a(t) = \{A^{assign}(t), R^{alloc}(t), C^{alloc}(t)\}",
        "An action names a gateway and how much to ask for. With three levels there are 24 actions.",
        r"k \in \{0, \ldots, 3G - 1\}: \quad g = \lfloor k / 3 \rfloor, \quad"
        r" \eta = (1, 1.5, 2)_{k \bmod 3}",
        "as a finite set",
    ),
    13: Equation(
        "Reward",
        r"r(t) = -(\alpha H_d(t) + \beta H_r(t) + \kappa \phi(t))",
        "The reward is the cost of Eq. (9) with a penalty for each violated constraint, with a minus sign.",
    ),
}
