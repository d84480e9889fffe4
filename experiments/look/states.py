"""The names of what enters the network, with their places: Eq. (11), or the state for shared networks."""

from edgediff.config import WorldConfig
from edgediff.world.decision import LEVEL_FACTORS
from edgediff.world.state import COMMON_ENTRIES, FLOW_ENTRIES, LEVEL_ENTRIES, OWN_ENTRIES


def entries(world: WorldConfig, network: str) -> dict[str, list]:
    """Return the entries of the state by name, with their places.

    "common" has [name, place], "gateway" [name, places], one place for every gateway. For shared networks, "levels" has
    for each level the places of the reward, then of what the action takes.
    """
    gateways = world.num_gateways
    if network == "mlp":
        levels, own = [], ["Q", "R_avail"]
        order = [*FLOW_ENTRIES, *["Q"] * gateways, *["R_avail"] * gateways, "F_avail"]
    else:
        levels = [[f"{name} {eta:g}" for name in LEVEL_ENTRIES] for eta in LEVEL_FACTORS]
        own = [*OWN_ENTRIES, *(name for level in levels for name in level)]
        order = [*COMMON_ENTRIES, *own * gateways]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(order):
        places.setdefault(name, []).append(place)
    return {
        "common": [[name, places[name][0]] for name in places if name not in own],
        "gateway": [[name, places[name]] for name in own],
        "levels": [[places[name] for name in level] for level in levels],
    }
