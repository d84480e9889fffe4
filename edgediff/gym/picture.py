"""A picture of one network at one moment: bandwidth and queue of every gateway. Needs matplotlib."""

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from edgediff.errors import ConfigError, first_line
from edgediff.world.decision import decode_action
from edgediff.world.simulator import Simulator

FPS = 10
_SIZE = dict(figsize=(8, 4), dpi=100, layout="constrained")


class Scene(NamedTuple):
    """What a picture shows: slot, episode length, free compute, and per gateway (G,) in Mbit/s and Mbit."""

    slot: int
    num_slots: int
    free_tflops: float
    background: np.ndarray
    held: np.ndarray
    free: np.ndarray
    queue: np.ndarray


def scene(simulator: Simulator, env: int) -> Scene:
    """Read one network off the simulator."""
    view = simulator.view()
    slot, free = int(view.flow["slot"][env]), view.available_bps[env]
    left = simulator.total_bps[env, slot]
    megabits = (1e-6 * bits for bits in (view.capacity_bps - left, left - free, free, view.backlog_bits[env]))
    return Scene(slot, simulator.world.num_slots, float(view.available_tflops[env]), *megabits)


def title(scene: Scene, decided: tuple[np.ndarray, dict[str, np.ndarray]] | None, env: int) -> str:
    """Say what time it is and what became of the last decision."""
    now = f"slot {scene.slot} of {scene.num_slots}, server: {scene.free_tflops:.0f} TFLOP/s free"
    if decided is None:
        return f"{now}\nno decision yet"
    action, info = decided
    gateway, level = decode_action(int(action[env]))
    end = "dropped" if info["dropped"][env] else f"{info['delay_s'][env]:.3f} s"
    end += "" if info["dropped"][env] else ", in time" if info["completed"][env] else ", late"
    return f"{now}\nlast flow: gateway {gateway}, level {level}: {end}"


class Picture:
    """Bars for every gateway, drawn with matplotlib: background, held and free bandwidth; the queue beside them.

    Many programs ask for pictures and never look at one, so matplotlib is first imported for the first of them.
    """

    def __init__(self) -> None:
        self.figure: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the figure out of a copy, which cannot be drawn on without its canvas."""
        return {"figure": None}

    def frame(self, scene: Scene, title: str) -> np.ndarray:
        """Return the picture, (400, 800, 3) of uint8."""
        if self.figure is None:
            self.figure = _matplotlib("figure").Figure(**_SIZE)
            _matplotlib("backends.backend_agg").FigureCanvasAgg(self.figure)
        self._draw(scene, title)
        self.figure.canvas.draw()
        return np.asarray(self.figure.canvas.buffer_rgba())[:, :, :3].copy()

    def show(self, scene: Scene, title: str) -> None:
        """Show the picture in a window, where there is a display, and wait for the time of a frame."""
        if self.figure is None:
            with _matplotlib("pyplot").ion():
                self.figure = _matplotlib("pyplot").figure(**_SIZE)
        self._draw(scene, title)
        self.figure.canvas.draw_idle()
        self.figure.canvas.start_event_loop(1 / FPS)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self.figure is not None and self.figure.canvas.manager:
            _matplotlib("pyplot").close(self.figure)
        self.figure = None

    def _draw(self, scene: Scene, title: str) -> None:
        self.figure.clear()
        self.figure.suptitle(title, fontsize=11)
        bandwidth, queue = self.figure.subplots(1, 2, width_ratios=(2, 1))
        gateways, below = np.arange(scene.free.size), np.zeros(scene.free.size)
        for name, colour in (("background", "0.7"), ("held", "tab:orange"), ("free", "tab:green")):
            height = getattr(scene, name)
            bandwidth.bar(gateways, height, bottom=below, color=colour, label=name)
            below = below + height
        queue.bar(gateways, scene.queue, color="tab:red")
        bandwidth.set(xlabel="gateway", ylabel="bandwidth, Mbit/s", ylim=(0, 1.2 * below.max()))
        queue.set(xlabel="gateway", ylabel="queue, Mbit", ylim=(0, max(20.0, 1.1 * scene.queue.max())))
        bandwidth.legend(loc="upper left", ncols=3, frameon=False)
        for axes in (bandwidth, queue):
            axes.set_xticks(gateways[:: max(1, gateways.size // 16)])


def _matplotlib(part: str) -> Any:
    try:
        return import_module(f"matplotlib.{part}")
    except (
        ImportError,
        ValueError,
    ) as error:  # ValueError: MPLBACKEND names what is not here, as in a notebook's shell
        raise ConfigError(f"render_mode: needs matplotlib, which cannot be used ({first_line(error)})") from None
