"""What the users' process would find, without a kernel."""

FIDELITY = {"late_p99_s": 0.001, "late_max_s": 0.002, "answer_late_max_s": 0.003, "length": 1.0, "link": 0.99,
            "stall_s": {"users": 0.004, "edge server": 0.005, "controller": 0.006},
            "drops": 0, "users": 0.1, "edge server": 0.1, "controller": 0.2}  # fmt: skip


def row(**changes) -> dict:
    """Return a flow of 2 Mbit that was granted 4 Mbit/s and 10 TFLOP/s for 2 TFLOP: 0.5 s and 0.2 s."""
    return {
        "gateway": 1, "level": 0, "rate_bps": 4e6, "compute_tflops": 10.0, "dropped": False, "number": 0, "slot": 0,
        "data_bits": 2e6, "work_tflop": 2.0, "deadline_s": 0.8, "predicted_s": 0.75, "unsent_bits": 4e5,
        "fifo_bits": 0.0, "available_bps": 8e6, "begun_s": 0.01, "arrived_s": 0.53, "answered_s": 0.74,
    } | changes  # fmt: skip
