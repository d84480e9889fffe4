"""Flows, arrivals and background traffic, Eq. (1): all that no scheduler can change.

The traffic of an episode is a pure function of (seed, environment, episode) and is drawn before the first
decision, so every scheduler is compared on the same traffic. Positions and capacities have a seed of their own.
"""

from operator import index
from typing import NamedTuple

import numpy as np

from edgediff.config import WorldConfig
from edgediff.world.laws import mean_data_bits, work_per_bit
from edgediff.world.windows import ClosedLog, episode_of_log

# Eq. (1): f_w(t) = {D_w, c_w, p_w, T_req}, with what Section 5.1 adds to it.
FLOW = np.dtype(
    [
        ("slot", np.int64),  # t, slot of arrival
        ("workshop", np.int64),  # w
        ("kind", np.int64),  # 0 text, 1 image, 2 3D scene
        ("priority", np.int64),  # p_w: 1, 2, 3
        ("bandwidth_bps", np.float64),  # b, required bandwidth
        ("deadline_s", np.float64),  # T_req
        ("data_bits", np.float64),  # D_w
        ("work_tflop", np.float64),  # c_w of Eq. (1), f_w of Eq. (6)
    ]
)

HELD_OUT = 2**32  # seeds of training lie below; held-out traffic is drawn from seeds at and above
RECENT_SLOTS = 100  # how far back arrivals are counted
PRIOR_SLOTS = 10.0  # slots at load 1 that are counted with them, so that the first slots of an episode say little
_FLOWS, _BACKGROUND, _TOPOLOGY, _LOAD, _SWING = range(5)  # names of the random streams


class Topology(NamedTuple):
    """The fixed layout: R_max of each gateway, (G,), and the propagation delay from workshop to gateway, (W, G)."""

    capacity_bps: np.ndarray
    propagation_s: np.ndarray


class Traffic(NamedTuple):
    """One episode: its n flows and the one that would come next, (n + 1,) of FLOW; u_g(t), (T + 1, G).

    The last flow arrives in slot T, when the episode is over. It appears in the last observation, so that a learner
    bootstraps from a complete state, but it is never decided and never counted.
    """

    flows: np.ndarray
    background: np.ndarray


def stream(seed: int | np.random.SeedSequence, *key: int) -> np.random.Generator:
    """Return the random generator of a seed and a key, independent of all others."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(index(seed))
    return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *key)))


def draw_topology(world: WorldConfig) -> Topology:
    """Place workshops and gateways uniformly in the area, and give the gateways their capacities."""
    rng = stream(world.topology_seed, _TOPOLOGY)
    workshop_m = rng.uniform(0, world.area_m, (world.num_workshops, 1, 2))
    gateway_m = rng.uniform(0, world.area_m, (1, world.num_gateways, 2))
    distance_m = np.linalg.norm(workshop_m - gateway_m, axis=-1)
    span_bps = world.capacity_low_bps, world.capacity_high_bps
    even = world.topology == "even"
    capacity_bps = np.linspace(*span_bps, world.num_gateways) if even else rng.uniform(*span_bps, world.num_gateways)
    return Topology(capacity_bps, distance_m * world.propagation_s_per_m)


def draw_traffic(
    world: WorldConfig,
    seed: int | np.random.SeedSequence,
    environment: int,
    episode: int,
    log: ClosedLog | None = None,
) -> Traffic:
    """Draw the flows of one episode, Eq. (1), and its background traffic; also its load, if the world has a range."""
    if world.load_high:
        low, high = world.load_low, world.load_high
        drawn = np.exp(stream(seed, _LOAD, environment, episode).uniform(*np.log([low, high])))
        world = world.at_load(min(max(float(drawn), low), high))  # exp(log(high)) may round to more than high
    rng, swing = (stream(seed, name, environment, episode) for name in (_FLOWS, _SWING))
    flows = synthetic_flows(world, rng, swing) if log is None else logged_flows(world, rng, log)
    return Traffic(flows, draw_background(world, stream(seed, _BACKGROUND, environment, episode)))


def synthetic_flows(world: WorldConfig, rng: np.random.Generator, swing: np.random.Generator) -> np.ndarray:
    """Draw the flows of one episode as Section 5.1 has them, (n + 1,) of FLOW; `swing` draws how the load moves."""
    flows = _arriving(world, rng, *draw_arrivals(world, rng, swing))
    flows["kind"] = rng.integers(3, size=flows.size)
    flows["bandwidth_bps"] = rng.uniform(world.bandwidth_low_bps, world.bandwidth_high_bps, flows.size)
    flows["data_bits"] = world.size_fraction * flows["bandwidth_bps"] * flows["deadline_s"]
    flows["work_tflop"] = work_per_bit(world)[flows["kind"]] * flows["data_bits"]
    return flows


def logged_flows(world: WorldConfig, rng: np.random.Generator, log: ClosedLog) -> np.ndarray:
    """Take the flows of one episode from a request log, (n + 1,) of FLOW, with the same mean size and workload."""
    slot, size, work = episode_of_log(world, log, rng)
    # The workshops take turns. Only where more requests than workshops fall into a slot does one start two of them.
    flows = _arriving(world, rng, slot, np.resize(rng.permutation(world.num_workshops), slot.size))
    flows["data_bits"] = size * mean_data_bits(world)
    flows["work_tflop"] = work * mean_data_bits(world) * work_per_bit(world).mean()
    flows["bandwidth_bps"] = flows["data_bits"] / (world.size_fraction * flows["deadline_s"])
    return flows


def _arriving(world: WorldConfig, rng: np.random.Generator, slot: np.ndarray, workshop: np.ndarray) -> np.ndarray:
    """Give priorities and deadlines to flows that arrive; size and work are still 0."""
    flows = np.zeros(slot.size, FLOW)
    flows["slot"], flows["workshop"] = slot, workshop
    flows["priority"] = rng.integers(1, 4, slot.size)
    flows["deadline_s"] = rng.uniform(world.deadline_low_s, world.deadline_high_s, slot.size)
    return flows


def draw_arrivals(
    world: WorldConfig, rng: np.random.Generator, swing: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let each workshop start a flow in each slot, Eq. (1), with probability 1 - exp(-lambda * load), independently.

    Returns slot and workshop of the n flows in order, and of one more in slot T. A Bernoulli process over the
    T * W cells of (slot, workshop) is a binomial number of cells, chosen without repetition. If the load swings, they
    are drawn at the higher load, and in slots of the lower one each is kept with the ratio of both probabilities.
    """
    cells = world.num_slots * world.num_workshops
    low, high = (-np.expm1(-world.arrival_rate * (world.load * (1 + way * world.load_swing))) for way in (-1, 1))
    count = rng.binomial(cells, high)
    cell = np.sort(rng.choice(cells, count, replace=False, shuffle=False))
    if world.load_swing:
        busy = two_states(swing, world.num_slots, 1, world.load_stay_slots)[:, 0]
        cell = cell[busy[cell // world.num_workshops] | (swing.random(count) < low / high)]
    cell = np.append(cell, cells + rng.integers(world.num_workshops))
    return np.divmod(cell, world.num_workshops)


def draw_background(world: WorldConfig, rng: np.random.Generator) -> np.ndarray:
    """Draw u_g(t), (T + 1, G): a two-state chain per gateway."""
    busy = two_states(rng, world.num_slots, world.num_gateways, world.mean_stay_slots)
    return np.where(busy, world.busy_load, world.quiet_load)


def two_states(rng: np.random.Generator, slots: int, chains: int, mean_stay_slots: float) -> np.ndarray:
    """Draw chains that are busy or not, (slots + 1, chains) of bool, started in their stationary law (1/2, 1/2)."""
    start = rng.integers(2, size=(1, chains))
    switches = rng.random((slots, chains)) < 1 / mean_stay_slots
    return np.concatenate([start, start + switches.cumsum(axis=0)]) % 2 == 1


def recent_load(world: WorldConfig, flows: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Estimate the load from the flows of the last slots, the present one not counted, (E,): 1 for lambda W a slot."""
    usual = world.arrival_rate * world.num_workshops
    return (flows / usual + PRIOR_SLOTS) / (slots + PRIOR_SLOTS)
