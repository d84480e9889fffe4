r"""Eqs. (1) to (13) with places for the numbers of a decision, in the order in which they are computed.

A place is \n{name}; the script of the page puts the number there. Every equation is (number, what it says, its LaTeX in
letters, its LaTeX with numbers, the function that computes it).
"""

import re
from html import escape

from experiments.html.markup import maths

EQUATIONS = (
    (1, "The flow", r"f_w = \{D, C, p, T^{req}\}", r"\{\n{data}, \n{work}, \n{priority}, \n{deadline}\}",
     "workload.draw_traffic"),
    (11, "What the network sees", r"s = \{f_w, Q, R^{avail}, F^{avail}\}",
     r"\{\n{D}, \n{C}, \n{p}, \n{T_req}, \ldots, \n{F_avail}\}", "state.observe"),
    (12, "The action and its request",
     r"\begin{array}{l} k: \ g = \lfloor k / 3 \rfloor, \ \eta = (\n{levels})_{k \bmod 3} \\ r^{req} = \eta\, b \\"
     r" c^{req} = \eta\, C / (\n{fraction}\, T^{req}) \end{array}",
     r"\begin{array}{l} k = \n{action}: \ g = \n{gateway}, \ \eta = \n{eta} \\"
     r" \n{eta} \cdot \n{bandwidth} = \n{wanted_rate} \\"
     r" \n{eta} \cdot \n{work} / (\n{fraction} \cdot \n{deadline}) = \n{wanted_compute} \end{array}",
     "decision.decode_action"),
    (4, "Bandwidth granted", r"r = \min(r^{req}, \ R_g^{avail})",
     r"\min(\n{wanted_rate}, \ \n{available}) = \n{rate}", "delay.allocate"),
    (7, "Compute granted", r"c = \min(c^{req}, \ F^{avail})",
     r"\min(\n{wanted_compute}, \ \n{free_compute}) = \n{compute}", "delay.allocate"),
    (3, "Sending", r"T^{tx} = \frac{D}{r}", r"\frac{\n{data}}{\n{rate}} = \n{transmission}",
     "delay.transmission_delay"),
    (5, "Waiting in the queue", r"T^{q} = \frac{Q_g}{R_g^{avail}}", r"\frac{\n{backlog}}{\n{available}} = \n{queueing}",
     "delay.queueing_delay"),
    (6, "Processing", r"T^{proc} = \frac{C}{c}", r"\frac{\n{work}}{\n{compute}} = \n{processing}",
     "delay.processing_delay"),
    (2, "The whole delay", r"T^{act} = T^{tx} + T^{q} + T^{proc} + T^{prop}",
     r"\n{transmission_bare} + \n{queueing_bare} + \n{processing} + \n{propagation} \ \n{total}",
     "delay.total_delay"),
    (8, "The deadline", r"T^{act} \leq T^{req}", r"\n{deadline_test}", "delay.meets_deadline"),
    (9, "The cost", r"\begin{array}{l} H_d = T^{act} - T^{req} \\ H_r = \max_g U_g - \min_g U_g \\"
     r" O = \alpha H_d + \beta H_r \end{array}",
     r"\begin{array}{l} \n{delay_bare} - \n{deadline_bare} \ \n{deviation} \\ \n{most_used} - \n{least_used}"
     r" \ \n{imbalance} \\ \n{alpha} \cdot (\n{deviation_bare}) + \n{beta} \cdot \n{imbalance_bare} \ \n{cost}"
     r" \end{array}", "objective.objective"),
    (10, "Constraints violated", r"\phi = [T^{act} > T^{req}] + [r^{req} > R_g^{avail}] + [c^{req} > F^{avail}]",
     r"\n{late} + \n{short_rate} + \n{short_compute} = \n{phi}", "objective.violations"),
    (13, "The reward, times the weight w of the priority", r"r = -w\, (O + \kappa\, \phi)",
     r"-\n{weight} \cdot (\n{cost_bare} + \n{kappa} \cdot \n{phi}) \ \n{reward}", "objective.reward"),
)  # fmt: skip


def formula(latex: str) -> str:
    """Typeset LaTeX; every place becomes a number, `data-n`, that the script fills."""
    typeset = maths(re.sub(r"\\n\{(\w+)\}", r"\\text{@\1@}", latex), "block")
    return re.sub(r"<mtext>@(\w+)@</mtext>", r'<mn data-n="\1">\1</mn>', typeset)


def as_html(paper: str) -> str:
    """Return all equations as items of a list, each with a link to its place in the annotated paper."""
    return "\n".join(
        f'<li id="eq{number}"><div class="of"><b><a href="{escape(paper)}#eq{number}">({number})</a></b> {title}'
        f"<code>{function}</code></div>"
        f'<div class="scroll">{formula(letters)}</div><div class="scroll numbers">{formula(numbers)}</div></li>'
        for number, title, letters, numbers, function in EQUATIONS
    )
