"""A picture of one network at one moment: bandwidth and queue of every gateway. Needs matplotlib."""

from typing import Any, NamedTuple

import numpy as np

from edgediff.errors import ConfigError, first_line
from edgediff.world.decision import decode_action
from edgediff.world.simulator import Simulator


class Scene(NamedTuple):
    """What a picture shows: the moment in words, and per gateway (G,) in Mbit/s and Mbit."""

    moment: str
    background: np.ndarray
    held: np.ndarray
    free: np.ndarray
    queue: np.ndarray


def scene(simulator: Simulator, env: int) -> Scene:
    """Read one network off the simulator."""
    view = simulator.view()
    slot, free = int(view.flow["slot"][env]), view.available_bps[env]
    left = simulator.total_bps[env, slot]
    tflops, num_slots = view.available_tflops[env], simulator.world.num_slots
    moment = f"slot {slot} of {num_slots}, server: {tflops:.0f} TFLOP/s free"
    amounts = view.capacity_bps - left, left - free, free, view.backlog_bits[env]
    return Scene(moment, *(1e-6 * bits for bits in amounts))


def last_flow(decided: tuple[np.ndarray, dict[str, np.ndarray]] | None, env: int) -> str:
    """Say what became of the last decision."""
    if decided is None:
        return "no decision yet"
    action, info = decided
    gateway, level = decode_action(int(action[env]))
    end = f"{info['delay_s'][env]:.3f} s, {'in time' if info['completed'][env] else 'late'}"
    return f"last flow: gateway {gateway}, level {level}: {'dropped' if info['dropped'][env] else end}"


def frame(scene: Scene, last_flow: str) -> np.ndarray:
    """Draw the picture, (400, 800, 3) of uint8; `ConfigError` without matplotlib, which is imported here."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except (ImportError, ValueError) as error:  # ValueError: MPLBACKEND has an unknown name, as in a notebook's shell
        raise ConfigError(f"render_mode: needs matplotlib, which cannot be used ({first_line(error)})") from None
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(f"{scene.moment}\n{last_flow}", fontsize=11)
    _draw(figure.subplots(1, 2, width_ratios=(2, 1)), scene)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _draw(axes: Any, scene: Scene) -> None:
    bandwidth, queue = axes
    gateways, below = np.arange(scene.free.size), np.zeros(scene.free.size)
    for name, colour in (("background", "0.7"), ("held", "tab:orange"), ("free", "tab:green")):
        height = getattr(scene, name)
        bandwidth.bar(gateways, height, bottom=below, color=colour, label=name)
        below = below + height
    queue.bar(gateways, scene.queue, color="tab:red")
    bandwidth.set(xlabel="gateway", ylabel="bandwidth, Mbit/s", ylim=(0, 1.2 * below.max()))
    queue.set(xlabel="gateway", ylabel="queue, Mbit", ylim=(0, max(20.0, 1.1 * scene.queue.max())))
    bandwidth.legend(loc="upper left", ncols=3, frameon=False)
    for each in axes:
        each.set_xticks(gateways[:: max(1, gateways.size // 16)])
