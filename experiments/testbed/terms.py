"""The model, Eqs. (2)-(6), term by term beside what became of the flows in the kernel."""

import numpy as np

DEVIATIONS = (
    *("overgranted", "begun_s", "sending_p10", "sending_p50", "sending_p90", "wait_unsent_s", "wait_fifo_s"),
    *("wait_real_s", "processing_late_s", "error_mean_s", "error_p5_s", "error_p95_s", "held_ratio"),
)


def deviations(flows: dict[str, np.ndarray]) -> dict[str, float]:
    """Compare the model, term by term, with what became of the flows that were not dropped."""
    taken = {name: values[~flows["dropped"]] for name, values in flows.items()}
    holding_s, real_s = taken["data_bits"] / taken["rate_bps"], taken["arrived_s"] - taken["begun_s"]
    processing_s = taken["work_tflop"] / taken["compute_tflops"]
    predicted_wait_s = taken["predicted_s"] - holding_s - processing_s
    error_s, rate_bps = taken["answered_s"] - taken["predicted_s"], taken["rate_bps"]
    p10, p50, p90 = np.quantile(real_s / holding_s, [0.1, 0.5, 0.9])
    return {
        "begun_s": taken["begun_s"].mean(), "sending_p10": p10, "sending_p50": p50, "sending_p90": p90,
        "wait_unsent_s": (taken["unsent_bits"] / taken["available_bps"]).mean(),
        "wait_fifo_s": (taken["fifo_bits"] / taken["available_bps"]).mean(),
        "wait_real_s": (real_s - holding_s).mean(),
        "processing_late_s": (taken["answered_s"] - taken["arrived_s"] - processing_s).mean(),
        "error_mean_s": error_s.mean(), "error_p5_s": np.quantile(error_s, 0.05),
        "error_p95_s": np.quantile(error_s, 0.95),
        "held_ratio": (rate_bps * taken["arrived_s"]).sum() / (rate_bps * (holding_s + predicted_wait_s)).sum(),
    }  # fmt: skip
