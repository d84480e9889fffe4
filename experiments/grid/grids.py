"""All grids. Each has a folder of results; `smoke`, a quick test of the runner, has none that is committed.

The runs of `replay` take seconds: a test repeats them, and finds that the code of today computes something else.
"""

from edgediff.train import SHOWN_RULES
from edgediff.world.rules import ADMISSION, BY_LOAD, COMPLETION, CROWDING, DUAL, GREEDY, PRICED
from experiments.grid.grid import Grid, Variant
from experiments.variants import agents
from experiments.variants.observations import Standardised, one_unit, unit_interval, with_bandwidth, with_ratios
from experiments.variants.planning import PLANNERS

LEARNERS = "d2sac", "sac", "dqn", "ppo"
RULES = (
    "round robin, level 2",
    "random",
    "smallest wait",
    "most available",
    GREEDY,
    ADMISSION,
    PRICED,
    BY_LOAD,
)
REPORTED = "round robin, level 2", "most available", GREEDY, BY_LOAD, CROWDING
MARKS = ADMISSION, BY_LOAD, CROWDING, COMPLETION
D2SAC = ("d2sac",)

SIX_SEEDS, TEN_SEEDS = tuple(range(6)), tuple(range(10))
FRESH_SEEDS = tuple(range(200, 230))  # scored once, after all settings were final; 100 to 126 were the first round
TWO_SEEDS, SEEDS, STATE_SEEDS, TUNING_SEEDS = (0, 1), (0, 1, 2), (10, 11, 12), (20, 21)

LOAD_1 = (dict(load=1.0),)
LOADS_1_2 = dict(load=1.0), dict(load=2.0)
FIVE_LOADS = tuple(dict(load=load) for load in (0.5, 1.0, 1.5, 2.0, 3.0))
SIX_LOADS = tuple(dict(load=load) for load in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0))
PLANNED = *LOADS_1_2, *(load | dict(planner_horizon=30) for load in LOADS_1_2)
LAST_WEIGHTS = tuple(load | dict(weights="last") for load in LOADS_1_2)
MODES = dict(mode="sample"), dict(mode="argmax"), *(dict(mode="mean", eval_draws=draws) for draws in (2, 4, 8, 16))

SHORT = dict(epochs=50, eval_every=50, eval_episodes=1)
ON_RANGE = dict(load_low=0.5, load_high=3.0)
ON_GPU = dict(device="cuda")
EQUAL = dict(priority1_weight=1.0, priority3_weight=1.0)
TINY = dict(
    epochs=4, updates_per_epoch=5, eval_every=4, eval_episodes=1, collect_per_epoch=200, num_envs=20, num_slots=60
)
TINY |= dict(actor_lr=0.001, critic_lr=0.001, hidden=16, d2sac_denoising_steps=2, batch_size=64)
# With updates so many and so large, a slight change of one changes decisions; how a processor rounds does not.
REPLAY = TINY | dict(epochs=6, updates_per_epoch=25, eval_every=2)
REPLAY |= dict(actor_lr=0.003, critic_lr=0.003, sac_critic_lr=0.003, dqn_lr=0.003)

REPLAYED = {"mlp": Variant(), "shared, priced": Variant(dict(network="shared", critic="priced") | ON_RANGE)}
ABLATED = {
    "d2sac": Variant(),
    "N = 1": Variant(dict(d2sac_denoising_steps=1)),
    "N = 2": Variant(dict(d2sac_denoising_steps=2)),
    "N = 5": Variant(dict(d2sac_denoising_steps=5)),
    "N = 20": Variant(dict(d2sac_denoising_steps=20)),
    "no L_d": Variant(dict(d2sac_diffusion_weight=0.0)),
    "L_d weighted 1": Variant(dict(d2sac_diffusion_weight=1.0)),
    "L_d weighted 10": Variant(dict(d2sac_diffusion_weight=10.0)),
    # J keeps a thousandth of the weight, and Adam makes the step no larger.
    "L_d alone": Variant(dict(d2sac_diffusion_weight=1000.0)),
    "L_d of all values": Variant(agent_class=agents.LatentOfValues),
    "L_d of the maximiser of J": Variant(agent_class=agents.LatentOfMaximiser),
    "Eq. 21 as printed": Variant(agent_class=agents.PrintedEq21),
    "Eq. 24 as printed": Variant(agent_class=agents.PrintedEq24),
    "posterior variance": Variant(agent_class=agents.PosteriorVariance),
    "Mish": Variant(agent_class=agents.Mish),
    "bounded head": Variant(agent_class=agents.BoundedHead),
    "public actor": Variant(agent_class=agents.PublicActor),
    "no balance": Variant(dict(balance_weight=0.0)),
}
NO_ACTOR = {"no actor": Variant(agent_class=agents.WithoutActor)}
FORESIGHT = {
    "n = 1": Variant(dict(n_step=1)),
    "n = 5": Variant(dict(n_step=5)),
    "n = 10": Variant(dict(n_step=10)),
    "tau = 0.02": Variant(dict(tau=0.02)),
}
FORESIGHT_D2SAC = {
    "mean of both critics": Variant(agent_class=agents.MeanOfCritics),
    "L_d weighted 1": Variant(dict(d2sac_diffusion_weight=1.0)),
    "confidence 0.97": Variant(dict(d2sac_confidence=0.97)),
}
FORESIGHT_PPO = {f"lambda = {value:g}": Variant(dict(ppo_gae_lambda=value)) for value in (0.0, 0.5, 0.8, 0.95)}
RATES = dict(critic_lr=0.0003, sac_critic_lr=0.0001)  # each those of the other agent
FORESIGHT_RATES = {
    "critics at the rate of the other agent": Variant(RATES),
    "n = 10, critics at the rate of the other agent": Variant(dict(n_step=10) | RATES),
}
PRECISION = {
    "n = 1": Variant(dict(n_step=1)),
    "gamma = 0": Variant(dict(gamma=0.0)),
    "gamma = 0, ratios": Variant(dict(gamma=0.0), observe=with_ratios),
}


def of_size(gateways: int) -> dict[str, float]:
    """Return the settings of a network with as much bandwidth and compute per flow as the usual one of 8 gateways."""
    return dict(num_gateways=gateways, arrival_rate=gateways / 8000, server_tflops=gateways * 375.0)


GATEWAYS = {
    f"{gateways} gateways": Variant(of_size(gateways) | dict(num_envs=envs, eval_episodes=episodes))
    for gateways, envs, episodes in ((4, 100, 32), (16, 50, 8), (32, 25, 4), (64, 10, 2))
}
# Two public logs of an hour, in the current folder: the first halves are for training, the second halves for testing.
CODE, CONVERSATIONS, HALF_S = "AzureLLMInferenceTrace_code.csv", "splitwise_conv.csv", "1700"
ARRIVALS = (
    dict(trace="none", trace_to="none"),
    dict(trace=CODE, trace_from=HALF_S, trace_to="none"),
    dict(trace=CONVERSATIONS, trace_from=HALF_S, trace_to="none"),
)
TRAFFIC = {
    "trained on Poisson arrivals": Variant(),
    "trained on code requests": Variant(dict(trace=CODE, trace_to=HALF_S)),
    "trained on conversations": Variant(dict(trace=CONVERSATIONS, trace_to=HALF_S)),
}
SWING = dict(load_swing=0.7, load_stay_slots=200.0)
SWINGING = tuple(dict(load=load) | SWING for load in (1.0, 1.5, 2.0))
SWUNG = {"trained at steady loads": Variant(), "trained at swinging loads": Variant(SWING)}
STATE = {
    "unit interval": Variant(observe=unit_interval),
    "standardised": Variant(observe=Standardised(1.0)),
    "standardised, times 2": Variant(observe=Standardised(2.0)),
    "standardised, times 4": Variant(observe=Standardised(4.0)),
    "one unit for all gateways": Variant(observe=one_unit),
    "standardised, with b": Variant(observe=with_bandwidth),
}
L_D_1 = dict(d2sac_diffusion_weight=1.0)
OF_STATE = L_D_1 | dict(eval_every=10, dqn_lr=0.0001)
TUNING_D2SAC = {
    "d2sac": Variant(),
    "L_d weighted 0.3": Variant(dict(d2sac_diffusion_weight=0.3)),
    "L_d weighted 3": Variant(dict(d2sac_diffusion_weight=3.0)),
    "confidence 0.8": Variant(dict(d2sac_confidence=0.8)),
    "confidence 0.97": Variant(dict(d2sac_confidence=0.97)),
}
TUNING_SAC = {
    "sac": Variant(),
    "learning rates 3e-4": Variant(dict(actor_lr=0.0003, sac_critic_lr=0.0003)),
    "critic learning rate 3e-4": Variant(dict(sac_critic_lr=0.0003)),
    "temperature 0.02": Variant(dict(entropy_temperature=0.02)),
    "temperature 0.1": Variant(dict(entropy_temperature=0.1)),
}
TUNING_DQN = {
    "learning rate 1e-4": Variant(dict(dqn_lr=0.0001)),
    "learning rate 3e-4": Variant(dict(dqn_lr=0.0003)),
    "learning rate 1e-3": Variant(dict(dqn_lr=0.001)),
    "learning rate 3e-4, epsilon 0.01": Variant(dict(dqn_lr=0.0003, dqn_epsilon_final=0.01)),
    "learning rate 3e-4, epsilon falls over a tenth": Variant(dict(dqn_lr=0.0003, dqn_epsilon_share=0.1)),
}
TUNING_PPO = {
    "learning rate 3e-4": Variant(dict(ppo_lr=0.0003)),
    "learning rate 1e-3": Variant(dict(ppo_lr=0.001)),
    "learning rate 1e-3, clip 0.1": Variant(dict(ppo_lr=0.001, ppo_clip=0.1)),
    "learning rate 1e-3, lambda 0.9": Variant(dict(ppo_lr=0.001, ppo_gae_lambda=0.9)),
    "learning rate 1e-3, entropy 0.05": Variant(dict(ppo_lr=0.001, ppo_entropy=0.05)),
}

ALL = (
    Grid("headline", LEARNERS + RULES, TEN_SEEDS, SIX_LOADS),
    Grid("headline_gpu", ("d2sac", "sac"), TEN_SEEDS, SIX_LOADS, settings=ON_GPU),
    Grid("headline_range", LEARNERS, TEN_SEEDS, SIX_LOADS, settings=ON_RANGE),
    Grid("no_actor", ("sac",), TEN_SEEDS, LOADS_1_2, variants=NO_ACTOR),
    Grid("deploy", ("d2sac", "sac", *SHOWN_RULES, COMPLETION, DUAL), FRESH_SEEDS, FIVE_LOADS, preset="deploy"),
    Grid("deploy_baselines", ("dqn", "ppo"), FRESH_SEEDS[:10], FIVE_LOADS, preset="deploy"),
    Grid("deploy_equal", ("d2sac", "sac", *MARKS), FRESH_SEEDS, FIVE_LOADS, preset="deploy", settings=EQUAL),
    Grid("deploy_chain", D2SAC, FRESH_SEEDS, FIVE_LOADS, preset="deploy", variants={"N = 1": ABLATED["N = 1"]}),
    Grid("deploy_no_actor", ("sac",), FRESH_SEEDS, FIVE_LOADS, preset="deploy", variants=NO_ACTOR),
    Grid("swing", ("d2sac", *MARKS), SEEDS, SWINGING, preset="deploy", variants=SWUNG),
    Grid("headline_ratios", LEARNERS, SIX_SEEDS, SIX_LOADS, variants={"ratios": Variant(observe=with_ratios)}),
    Grid("table1", LEARNERS, SEEDS, SIX_LOADS, preset="paper", settings=dict(eval_every=50)),
    Grid("ablation", D2SAC, SEEDS, LOADS_1_2, settings=SHORT, variants=ABLATED),
    Grid("chain_length", D2SAC, SEEDS, LOADS_1_2, variants={f"N = {n}": ABLATED[f"N = {n}"] for n in (1, 2, 5)}),
    Grid("modes", D2SAC, SEEDS, tuple(dict(**load, **mode) for load in LOADS_1_2 for mode in MODES), settings=SHORT),
    Grid("weights", ("sac", "ppo"), SEEDS, LOADS_1_2 + LAST_WEIGHTS, settings=SHORT),
    Grid("foresight", ("d2sac", "sac"), SEEDS, LOADS_1_2, settings=ON_RANGE, variants=FORESIGHT),
    Grid("foresight_d2sac", D2SAC, SEEDS, LOADS_1_2, settings=ON_RANGE, variants=FORESIGHT_D2SAC),
    Grid("foresight_ppo", ("ppo",), SEEDS, LOADS_1_2, settings=ON_RANGE, variants=FORESIGHT_PPO),
    Grid("foresight_rates", ("d2sac", "sac"), SEEDS, LOADS_1_2, settings=ON_RANGE, variants=FORESIGHT_RATES),
    Grid("precision", ("sac", "d2sac"), SEEDS, LOADS_1_2, variants=PRECISION),
    Grid("state", ("d2sac", "dqn"), STATE_SEEDS, LOADS_1_2, settings=OF_STATE, variants=STATE),
    Grid("gateways", LEARNERS, SEEDS, LOAD_1, episodes=16, variants=GATEWAYS),
    Grid("requests", D2SAC + REPORTED, SEEDS, ARRIVALS, preset="deploy", variants=TRAFFIC),
    Grid("planner", (*PLANNERS, GREEDY), TWO_SEEDS, LOADS_1_2, episodes=4),
    Grid("planner_learned", ("d2sac", "ppo"), TWO_SEEDS, PLANNED, 4, settings=ON_RANGE | dict(eval_every=100)),
    Grid("tuning_d2sac", D2SAC, TUNING_SEEDS, LOADS_1_2, settings=L_D_1, variants=TUNING_D2SAC),
    Grid("tuning_sac", ("sac",), TUNING_SEEDS, LOADS_1_2, settings=dict(sac_critic_lr=0.0001), variants=TUNING_SAC),
    Grid("tuning_dqn", ("dqn",), TUNING_SEEDS, LOADS_1_2, variants=TUNING_DQN),
    Grid("tuning_ppo", ("ppo",), TUNING_SEEDS, LOADS_1_2, settings=dict(ppo_gae_lambda=0.95), variants=TUNING_PPO),
    Grid("replay", LEARNERS, (0,), LOADS_1_2 + LAST_WEIGHTS, 2, settings=REPLAY, variants=REPLAYED),
    Grid("smoke", (*LEARNERS, "round robin, level 2", next(iter(PLANNERS))), (0,), LOADS_1_2, 2, settings=TINY),
)
GRIDS = {grid.name: grid for grid in ALL}
