"""What came out of an episode: each flow in the kernel and in the simulator, and whether the numbers can be trusted."""

import csv
import io
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.run.files import write_atomically

LATE_S, CORE, LINK, LENGTH = 0.005, 0.8, 1.01, 1.02  # the most that a run may have which shows numbers
PROCESSES = "users", "edge server", "controller"
KERNEL, SIMULATOR = "in the kernel", "in the simulator"


def merged(found: dict, simulated: dict[str, np.ndarray], world: WorldConfig) -> dict[str, np.ndarray]:
    """Return all that is known of each flow by name, arrays (F,); times that never came are NaN.

    As in the simulator, a flow that was dropped counts as late, with the drop limit as its latency. A flow that was
    begun counts with the time that it took.
    """
    names = found["flows"][0]
    flows = {name: np.array([row[name] for row in found["flows"]], dtype=_type(name)) for name in names}
    flows["completed"] = flows["answered_s"] <= flows["deadline_s"]  # NaN is never in time
    flows["delay_s"] = np.where(flows["dropped"], world.max_delay_s, flows["answered_s"])
    return flows | {f"simulated_{name}": simulated[name] for name in ("completed", "delay_s", "dropped")}


def scores(flows: dict[str, np.ndarray], before: str = "") -> dict[str, float]:
    """Return completion, latency and share dropped, of the kernel or of the simulator ("simulated_")."""
    completed, delay_s, dropped = (flows[f"{before}{name}"] for name in ("completed", "delay_s", "dropped"))
    p50, p95 = np.quantile(delay_s, [0.5, 0.95])
    values = {"completion": completed.mean(), "latency_s": delay_s.mean(), "latency_p50_s": p50,
              "latency_p95_s": p95, "dropped": dropped.mean()}  # fmt: skip
    return {name: float(value) for name, value in values.items()}


def breaches(fidelity: dict[str, float], flows: dict[str, np.ndarray]) -> list[str]:
    """Say why the numbers of a run must not be shown; an empty list if they may."""
    late_s, link, length = (fidelity[name] for name in ("late_p99_s", "link", "length"))
    waiting = int((np.isnan(flows["answered_s"]) & ~flows["dropped"]).sum())
    found = {
        f"slots begin {1e3 * late_s:.1f} ms late (p99), allowed are {1e3 * LATE_S:g} ms": late_s > LATE_S,
        f"a link has sent {link:.2f} times what its rate allows": link > LINK,
        f"the episode has taken {length:.3f} times its length, allowed are {LENGTH:g}": length > LENGTH,
        f"flows that never got an answer: {waiting}": waiting > 0,
    }
    for name in PROCESSES:
        found[f"{name}: {fidelity[name]:.2f} of a core, allowed are {CORE:g}"] = fidelity[name] > CORE
    return [words for words, bad in found.items() if bad]


def report(flows: dict[str, np.ndarray], found: dict) -> str:
    """Return the end of a run in a few lines: scores side by side, the error of the model, times of decisions."""
    columns = {"completion": "{:.1%}", "latency_s": "{:.3f} s", "latency_p50_s": "{:.3f} s",
               "latency_p95_s": "{:.3f} s", "dropped": "{:.1%}"}  # fmt: skip
    lines = [f"{'':18}{'completion':>12}{'latency':>10}{'p50':>10}{'p95':>10}{'dropped':>10}"]
    for label, before in ((KERNEL, ""), (SIMULATOR, "simulated_")):
        texts = [form.format(scores(flows, before)[name]) for name, form in columns.items()]
        lines.append(f"{label:18}{texts[0]:>12}" + "".join(f"{text:>10}" for text in texts[1:]))
    taken = ~flows["dropped"]
    error_s = np.quantile((flows["answered_s"] - flows["predicted_s"])[taken], [0.05, 0.5, 0.95]) if taken.any() else []
    lines.append("measured less predicted T_act: " + ", ".join(
        f"p{k} {value:+.3f} s" for k, value in zip((5, 50, 95), error_s, strict=False)))  # fmt: skip
    p50, p99 = np.quantile(found["asked_ms"], [0.5, 0.99])
    begun_ms = 1e3 * flows["begun_s"][taken].mean() if taken.any() else 0.0
    lines.append(f"a decision, from asking to the answer: p50 {p50:.2f} ms, p99 {p99:.2f} ms; "
                 f"a flow begins {begun_ms:.1f} ms after its slot (mean)")  # fmt: skip
    return "\n".join([*lines, described(found["fidelity"])])


def described(fidelity: dict[str, float]) -> str:
    """Say in one line how true to the plan a run was."""
    shares = ", ".join(f"{name} {fidelity[name]:.2f}" for name in PROCESSES)
    late_ms, length, link = 1e3 * fidelity["late_p99_s"], fidelity["length"], fidelity["link"]
    return (f"fidelity: slots {late_ms:.1f} ms late (p99), {length:.3f} of the length, "
            f"links at most at {link:.2f} of their rate; cores: {shares}")  # fmt: skip


def write_flows(path: Path, flows: dict[str, np.ndarray]) -> None:
    """Write a CSV with one flow per line, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(flows)
    for row in zip(*flows.values(), strict=True):
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else int(value) for value in row])
    write_atomically(path, text.getvalue().encode())


def _type(name: str) -> type:
    return {"gateway": int, "level": int, "number": int, "slot": int, "dropped": bool}.get(name, float)
