"""The names of what enters the network: Eq. (11), or the state for shared networks."""

from edgediff.config import WorldConfig
from edgediff.world.decision import LEVEL_FACTORS


def entries(world: WorldConfig, network: str) -> dict[str, list]:
    """Return the names of the common entries and of those of a gateway, with their places in the state.

    "common" holds [name, place]; "gateway" holds [name, places], one place for every gateway.
    """
    gateways = range(world.num_gateways)
    flow = ["D", "C", "p", "T_req"]
    if network == "mlp":
        last = world.state_dim - 1
        return {
            "common": [[name, k] for k, name in enumerate(flow)] + [["F_avail", last]],
            "gateway": [["Q", [4 + g for g in gateways]], ["R_avail", [4 + world.num_gateways + g for g in gateways]]],
        }
    common = [*flow, "F_avail", "load"]
    levels = [f"{name} {eta:g}" for eta in LEVEL_FACTORS for name in ("r", "h_b", "h_c")]
    own = ["Q", "R_avail", "R_max", *levels]
    return {
        "common": [[name, k] for k, name in enumerate(common)],
        "gateway": [[name, [len(common) + len(own) * g + k for g in gateways]] for k, name in enumerate(own)],
    }
