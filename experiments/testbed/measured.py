"""Not in the paper: the simulator with what the kernel does in place of Eq. (5)."""

import numpy as np

from edgediff.world.decision import View
from edgediff.world.simulator import Simulator


class WithoutWait(Simulator):
    """The simulator without T_q: flows that are paced at their grants do not wait for each other.

    Q is 0 in what schedulers see and in what becomes of a flow: T_act = D / r + C / c, and bandwidth is held for D / r.
    """

    def view(self) -> View:
        """Return what is known at the present decision."""
        view = super().view()
        return view._replace(backlog_bits=np.zeros_like(view.backlog_bits))
