"""What holds at every step, whatever the seed, the load, the network and the actions."""

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world.rules import UniformRandom, most_available
from edgediff.world.simulator import Simulator
from edgediff.world.workload import draw_traffic

pytestmark = pytest.mark.slow

ENVS, EPISODES, ROUNDING = 3, 2, 1e-9
SETTINGS, ACTIONS = range(2)  # names of the random streams
WORLDS = {
    "as in the paper": dict(num_slots=60),
    "one gateway": dict(num_slots=40, num_gateways=1),
    "three gateways": dict(num_slots=50, num_gateways=3),
    "restless background": dict(num_slots=120, mean_stay_slots=4.0, quiet_load=0.0, busy_load=0.99),
    "drawn capacities": dict(num_slots=50, topology="uniform", topology_seed=3, capacity_low_bps=1e6),
    "long slots": dict(num_slots=50, slot_s=0.15),
    "short slots": dict(num_slots=50, slot_s=0.003),
    "small server": dict(num_slots=50, server_tflops=40.0),
}


def stream(*key):
    return np.random.default_rng(np.random.SeedSequence(2024, spawn_key=key))


def draw_cases():
    """Give every world both policies, each at a low and at a high load, with seeds of their own."""
    rng = stream(SETTINGS)
    for name in WORLDS:
        for policy in ("random", "most available"):
            for low, high in ((0.05, 1), (1, 8)):
                seed, load = int(rng.integers(2**32)), float(np.exp(rng.uniform(np.log(low), np.log(high))))
                yield pytest.param(name, policy, seed, load, id=f"{name}, {policy}, seed {seed}, load {load:.2f}")


def check_decision(world, view, info):
    """Check what became of the flow of one environment."""
    gateway, rate, compute = info["gateway"], info["rate_bps"], info["compute_tflops"]
    late = not info["dropped"] and info["delay_s"] > view.flow["deadline_s"]
    assert int(info["completed"]) + int(late) + int(info["dropped"]) == 1
    assert (rate > 0) == (compute > 0) == (not info["dropped"]) and 0 < info["delay_s"] <= world.max_delay_s
    assert 0 <= rate <= view.available_bps[gateway] and 0 <= compute <= view.available_tflops
    left_bps = view.available_bps - rate * (np.arange(world.num_gateways) == gateway)
    for available_bps in (view.available_bps, left_bps):
        used = 1 - available_bps / view.capacity_bps
        assert (used >= 0).all() and (used <= 1).all()
    assert abs(info["imbalance"] - np.ptp(used)) <= ROUNDING


def check_held(world, view, info, total_bps, before, after):
    """Check the timelines of one environment, from the slot of the decision on."""
    # Background traffic may rise after a grant, and what is held then exceeds what R_total has fallen to. But no
    # decision takes a gateway above R_total, or further above it, and nothing ever exceeds R_max or the server.
    (bps_before, tflops_before), (bps, tflops) = before, after
    assert (bps[0] <= np.maximum(total_bps, bps_before[0]) * (1 + ROUNDING)).all()
    assert (bps <= view.capacity_bps * (1 + ROUNDING)).all()
    assert (tflops <= world.server_tflops * (1 + ROUNDING)).all()
    # Exactly what was granted is added, from now until the last bit is sent and until the answer is there.
    sending, answering = (
        np.arange(len(tflops)) * world.slot_s < time_s - ROUNDING * world.slot_s
        for time_s in (0 if info["dropped"] else info["holding_s"], info["delay_s"])
    )
    bps_before[sending, info["gateway"]] += info["rate_bps"]
    np.testing.assert_allclose(bps, bps_before, rtol=ROUNDING)
    np.testing.assert_allclose(tflops, tflops_before + answering * info["compute_tflops"], rtol=ROUNDING)


@pytest.mark.eq(4, 7)
@pytest.mark.parametrize("name, policy, seed, load", list(draw_cases()))
def test_at_every_step(name, policy, seed, load):
    """Eqs. (4), (7): at every decision, grants are within what is free, and exactly they are reserved."""
    world = WorldConfig(load=load, **WORLDS[name])
    simulator = Simulator(world, ENVS)
    policy = UniformRandom(stream(ACTIONS, seed)) if policy == "random" else most_available
    observation = simulator.reset(seed)
    decided = {}  # by environment and episode, how large each flow was
    while simulator.episode.min() < EPISODES:
        view, episode = simulator.view(), simulator.episode.tolist()
        view = view._replace(capacity_bps=np.tile(view.capacity_bps, (ENVS, 1)))
        before = simulator.reserved_bps.copy(), simulator.reserved_tflops.copy()
        observation, reward, _, truncated, info = simulator.step(policy(simulator.world, simulator.view()))
        after = simulator.reserved_bps, simulator.reserved_tflops
        assert np.isfinite(reward).all() and np.isfinite(observation).all() and (simulator.backlog_bits >= 0).all()
        for e, now in enumerate(view.flow["slot"]):
            mine, result = type(view)(*(field[e] for field in view)), {key: value[e] for key, value in info.items()}
            decided.setdefault((e, episode[e]), []).append(mine.flow["data_bits"])
            check_decision(world, mine, result)
            if not truncated[e]:  # otherwise the network has been emptied for the next episode
                held = ([timeline[e, now:] for timeline in timelines] for timelines in (before, after))
                check_held(world, mine, result, simulator.total_bps[e, now], *held)
    # Every flow that was drawn has been decided once, but for the one that would come after an episode.
    for e in range(ENVS):
        for number in range(simulator.episode[e]):
            drawn = draw_traffic(world, seed, e, number).flows["data_bits"][:-1]
            assert np.array_equal(decided.get((e, number), []), drawn)
