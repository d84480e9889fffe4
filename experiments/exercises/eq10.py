"""Eq. (10), violated constraints. 10 minutes.

The paper prints

    T_act <= T_req (10a); sum_w a_w,b r_w,b <= R_max_b (10b); sum_w c_w <= F_max (10c)

Floats, or arrays that broadcast. The result counts the violated ones of (10a) late, (10b) more bandwidth
requested than available, (10c) more compute requested than available: 0 to 3.

Question: Grants never exceed a capacity (Eqs. 4, 7). Why is what is requested counted, not what is granted?

    cp experiments/exercises/eq10.py my_eq10.py
    pytest -x -k eq10 --mine my_eq10.py
"""

import numpy as np

from edgediff.world.objective import Array


def violations(
    delay_s: Array,
    deadline_s: Array,
    requested_bps: Array,
    available_bps: Array,
    requested_tflops: Array,
    available_tflops: Array,
) -> Array:
    raise NotImplementedError("Eq. (10), violated constraints: yours to write")
