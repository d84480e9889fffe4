"""What came out of an episode: each flow in the kernel and in the simulator, and whether the numbers can be trusted."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgediff.config import WorldConfig
from edgediff.run.atomic import write_atomically

# The most that a run may have which shows numbers. A stall of 30 ms moves the mean latency of 10 s by 0.05 ms.
LATE_S, STALL_S, CORE, LINK, LENGTH = 0.005, 0.03, 0.8, 1.01, 1.02
PROCESSES = "users", "edge server", "controller"
STALLS = tuple(f"{name} stood still s" for name in PROCESSES)
SCORES = {"completion": "{:.1%}", "latency_s": "{:.3f} s", "latency_p50_s": "{:.3f} s", "latency_p95_s": "{:.3f} s",
          "dropped": "{:.1%}"}  # and how they are shown  # fmt: skip
DEVIATIONS = (
    *("overgranted", "begun_s", "sending_p10", "sending_p50", "sending_p90", "wait_unsent_s", "wait_fifo_s"),
    *("wait_real_s", "processing_late_s", "error_mean_s", "error_p5_s", "error_p95_s", "held_ratio"),
)


def merged(found: dict, simulated: dict[str, np.ndarray], world: WorldConfig) -> dict[str, np.ndarray]:
    """Return all that is known of each flow by name, arrays (F,); times that never came are NaN.

    As in the simulator, a flow that was dropped counts as late, with the drop limit as its latency. A flow that was
    begun counts with the time that it took.
    """
    types = dict.fromkeys(("gateway", "level", "number", "slot"), int) | {"dropped": bool}
    flows = {k: np.array([row[k] for row in found["flows"]], dtype=types.get(k, float)) for k in found["flows"][0]}
    flows["completed"] = flows["answered_s"] <= flows["deadline_s"]  # NaN is never in time
    flows["delay_s"] = np.where(flows["dropped"], world.max_delay_s, flows["answered_s"])
    return flows | {f"simulated_{name}": simulated[name] for name in ("completed", "delay_s", "dropped")}


def scores(flows: dict[str, np.ndarray], before: str = "") -> dict[str, float]:
    """Return completion, latency and share dropped, of the kernel or of the simulator ("simulated_")."""
    completed, delay_s, dropped = (flows[f"{before}{name}"] for name in ("completed", "delay_s", "dropped"))
    values = completed.mean(), delay_s.mean(), *np.quantile(delay_s, [0.5, 0.95]), dropped.mean()
    return dict(zip(SCORES, map(float, values), strict=True))


def deviations(flows: dict[str, np.ndarray]) -> dict[str, float]:
    """Compare the model, Eqs. (2)-(6), term by term, with what became of the flows that were not dropped."""
    taken = {name: values[~flows["dropped"]] for name, values in flows.items()}
    holding_s, real_s = taken["data_bits"] / taken["rate_bps"], taken["arrived_s"] - taken["begun_s"]
    processing_s = taken["work_tflop"] / taken["compute_tflops"]
    predicted_wait_s = taken["predicted_s"] - holding_s - processing_s
    error_s, rate_bps = taken["answered_s"] - taken["predicted_s"], taken["rate_bps"]
    p10, p50, p90 = np.quantile(real_s / holding_s, [0.1, 0.5, 0.9])
    return {
        "begun_s": taken["begun_s"].mean(),
        "sending_p10": p10,
        "sending_p50": p50,
        "sending_p90": p90,
        "wait_unsent_s": (taken["unsent_bits"] / taken["available_bps"]).mean(),
        "wait_fifo_s": (taken["fifo_bits"] / taken["available_bps"]).mean(),
        "wait_real_s": (real_s - holding_s).mean(),
        "processing_late_s": (taken["answered_s"] - taken["arrived_s"] - processing_s).mean(),
        "error_mean_s": error_s.mean(),
        "error_p5_s": np.quantile(error_s, 0.05),
        "error_p95_s": np.quantile(error_s, 0.95),
        "held_ratio": (rate_bps * taken["arrived_s"]).sum() / (rate_bps * (holding_s + predicted_wait_s)).sum(),
    }


def breaches(fidelity: dict, flows: dict[str, np.ndarray]) -> list[str]:
    """Say why the numbers of a run must not be shown; an empty list if they may."""
    late_s, late_max_s, answer_s = (fidelity[name] for name in ("late_p99_s", "late_max_s", "answer_late_max_s"))
    link, length, allowed = fidelity["link"], fidelity["length"], f"allowed are {1e3 * STALL_S:g} ms"
    waiting = int((np.isnan(flows["answered_s"]) & ~flows["dropped"]).sum())
    still_s = fidelity["stall_s"].items()
    found = {f"{name}: stood still for {1e3 * s:.1f} ms, {allowed}": s > STALL_S for name, s in still_s}
    found |= {
        f"slots begin {1e3 * late_s:.1f} ms late (p99), allowed are {1e3 * LATE_S:g} ms": late_s > LATE_S,
        f"a slot begins {1e3 * late_max_s:.1f} ms late, {allowed}": late_max_s > STALL_S,
        f"an answer comes {1e3 * answer_s:.1f} ms after T_proc, {allowed}": answer_s > STALL_S,
        f"a link has sent {link:.2f} times what its rate allows": link > LINK,
        f"the episode has taken {length:.3f} times its length, allowed are {LENGTH:g}": length > LENGTH,
        f"flows that never got an answer: {waiting}": waiting > 0,
    }
    for name in PROCESSES:
        found[f"{name}: {fidelity[name]:.2f} of a core, allowed are {CORE:g}"] = fidelity[name] > CORE
    return [words for words, bad in found.items() if bad]


def report(flows: dict[str, np.ndarray], found: dict) -> str:
    """Return the end of a run in a few lines: scores side by side, the error of the model, times of decisions."""
    lines = [f"{'':18}{'completion':>12}{'latency':>10}{'p50':>10}{'p95':>10}{'dropped':>10}"]
    for label, before in (("in the kernel", ""), ("in the simulator", "simulated_")):
        share, *texts = (SCORES[name].format(value) for name, value in scores(flows, before).items())
        lines.append(f"{label:18}{share:>12}" + "".join(f"{text:>10}" for text in texts))
    p50, p99, most = np.quantile(found["asked_ms"], [0.5, 0.99, 1])
    asked = f"a decision, from asking to the answer: p50 {p50:.2f} ms, p99 {p99:.2f} ms, at most {most:.2f} ms"
    if (taken := ~flows["dropped"]).any():
        error_s = np.quantile((flows["answered_s"] - flows["predicted_s"])[taken], [0.05, 0.5, 0.95])
        texts = (f"p{k} {value:+.3f} s" for k, value in zip((5, 50, 95), error_s, strict=True))
        lines.append(f"measured less predicted T_act: {', '.join(texts)}")
        asked += f"; a flow begins {1e3 * flows['begun_s'][taken].mean():.1f} ms after its slot (mean)"
    lines.append(asked)
    return "\n".join([*lines, described(found["fidelity"])])


def described(fidelity: dict) -> str:
    """Say in two lines how true to the plan a run was."""
    late, most, answer = (f"{1e3 * fidelity[k]:.1f} ms" for k in ("late_p99_s", "late_max_s", "answer_late_max_s"))
    cores = ", ".join(f"{name} {fidelity[name]:.2f}" for name in PROCESSES)
    still = ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in fidelity["stall_s"].items())
    return (
        f"fidelity: slots {late} late (p99), at most {most}, answers at most {answer} late; "
        f"{fidelity['length']:.3f} of the length, links at most at {fidelity['link']:.2f} of their rate\n"
        f"cores: {cores}; stood still for at most: {still}"
    )


def write_flows(path: Path, flows: dict[str, np.ndarray]) -> None:
    """Write a CSV with one flow per line."""
    rows = (dict(zip(flows, row, strict=True)) for row in zip(*flows.values(), strict=True))
    texts = ({k: f"{x:.6g}" if isinstance(x, float) else int(x) for k, x in row.items()} for row in rows)
    write_csv(path, tuple(flows), texts)


def write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[dict]) -> None:
    """Write rows, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
