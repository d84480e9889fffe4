"""Every setting: Section 5.1 as `WorldConfig`, Table 1 as `LearnerConfig`, and how a run is carried out, `RunConfig`.

A field is declared once, here: its default, its meaning, and the values it allows. Checks (`ConfigError`), the
command line and the stored settings are all made from these lines.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import Field, asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeVar

from edgediff.errors import ConfigError

T = TypeVar("T", int, float, str)
NUM_LEVELS = 3  # actions of a gateway
TINY = 1e-12  # smallest value of what has to be above 0: no product of a few of them counts as zero on a processor


def setting(default: T, text: str, low: float = 0, high: float = 0, choices: tuple[str, ...] = ()) -> T:
    """Declare a field: its default, its meaning, and the range of a number or the choices of a text."""
    return field(default=default, metadata=dict(text=text, low=low, high=high, choices=choices))


@dataclass(frozen=True)
class WorldConfig:
    """The edge network of Section 5.1."""

    # The network and its time
    num_workshops: int = setting(1000, "W, flow sources", 1, 1_000_000)
    num_gateways: int = setting(8, "G, gateways", 1, 256)
    num_slots: int = setting(1000, "T, slots per episode", 1, 1_000_000)
    slot_s: float = setting(0.01, "length of a slot, s", TINY, 10)

    # When flows arrive
    arrival_rate: float = setting(0.001, "lambda, flows per workshop and slot", TINY, 10)
    load: float = setting(1.0, "factor on lambda", TINY, 100)
    load_low: float = setting(0.0, "smallest load of an episode, drawn log-uniformly (0: always `load`)", 0, 100)
    load_high: float = setting(0.0, "largest load of an episode", 0, 100)
    load_swing: float = setting(
        0.0, "swing of the load within an episode, between load * (1 - swing) and load * (1 + swing)", 0, 0.999
    )
    load_stay_slots: float = setting(200.0, "mean stay at the lower and at the higher load, slots", 1, 1e9)
    trace: str = setting("none", "log of real requests to use in place of the Poisson process, or none")
    trace_columns: str = setting("auto", "TIME,IN,OUT: columns of time, tokens sent, tokens generated of another log")
    trace_from: str = setting("none", "first moment of the log that is used: seconds since its first request, or UTC")
    trace_to: str = setting("none", "end of the part of the log that is used: seconds since its first request, or UTC")

    # What a flow asks for
    bandwidth_low_bps: float = setting(1e6, "required bandwidth b, smallest, bit/s", TINY, 1e12)
    bandwidth_high_bps: float = setting(20e6, "required bandwidth b, largest, bit/s", TINY, 1e12)
    deadline_low_s: float = setting(0.1, "T_req, smallest, s", TINY, 1e3)
    deadline_high_s: float = setting(1.0, "T_req, largest, s", TINY, 1e3)
    size_fraction: float = setting(0.5, "share of T_req that sending D at b takes: D = share * b * T_req", TINY, 10)
    text_work: float = setting(0.5, "workload of a text flow, TFLOP per Mbit", TINY, 1e6)
    image_work: float = setting(1.0, "workload of an image flow, TFLOP per Mbit", TINY, 1e6)
    scene3d_work: float = setting(2.0, "workload of a 3D-scene flow, TFLOP per Mbit", TINY, 1e6)
    trace_read_work: float = setting(0.1, "work of a prompt token, relative to a generated one", 0, 1e3)

    # Where workshops and gateways are, and what the gateways can send
    area_m: float = setting(100.0, "side of the square that holds workshops and gateways, m", 0, 1e7)
    propagation_s_per_m: float = setting(5e-9, "propagation delay, s/m", 0, 1.0)
    capacity_low_bps: float = setting(50e6, "R_max of the smallest gateway, bit/s", TINY, 1e15)
    capacity_high_bps: float = setting(200e6, "R_max of the largest gateway, bit/s", TINY, 1e15)
    topology: str = setting("even", "capacities evenly spaced, or drawn", choices=("even", "uniform"))
    topology_seed: int = setting(0, "seed of positions and drawn capacities", 0, 2**32 - 1)

    # Background traffic
    quiet_load: float = setting(0.2, "u_g, background share of a quiet gateway", 0, 0.99)
    busy_load: float = setting(0.7, "u_g, background share of a busy gateway", 0, 0.99)
    mean_stay_slots: float = setting(100.0, "mean stay in the quiet and in the busy state, slots", 1, 1e9)

    # The edge server, and when a flow is given up
    server_tflops: float = setting(3000.0, "compute of the edge server, TFLOP/s", TINY, 1e12)
    compute_fraction: float = setting(0.25, "share of T_req that processing takes at level 0", TINY, 10)
    max_delay_s: float = setting(2.0, "a flow that would take longer is dropped, s", TINY, 1e3)

    # Objective and reward, Eqs. (9), (13)
    delay_weight: float = setting(1.0, "alpha of Eqs. (9), (13), 1/s", 0, 1e3)
    balance_weight: float = setting(0.5, "beta of Eqs. (9), (13)", 0, 1e3)
    penalty: float = setting(1.0, "kappa of Eq. (13)", 0, 1e3)
    priority1_weight: float = setting(1.0, "weight on the reward at priority 1", TINY, 1e3)
    priority2_weight: float = setting(1.0, "weight on the reward at priority 2", TINY, 1e3)
    priority3_weight: float = setting(1.0, "weight on the reward at priority 3", TINY, 1e3)

    def __post_init__(self) -> None:
        check_fields(self)
        _require_order(self, "bandwidth_low_bps", "bandwidth_high_bps")
        _require_order(self, "capacity_low_bps", "capacity_high_bps")
        _require_order(self, "deadline_low_s", "deadline_high_s", "max_delay_s")
        limit, slot_s = self.max_delay_s, self.slot_s
        _require(limit / slot_s <= 1e5, f"slot_s: {slot_s} is not at least max_delay_s / 100000 ({limit / 1e5:g})")
        low, high = self.load_low, self.load_high
        _require(0 < low <= high or low == high == 0, f"load_low: {low} is not above 0 and at most load_high ({high})")
        for name in ("load", "load_low", "load_high") if high else ("load",):
            load = getattr(self, name)
            flows = self.num_slots * self.arrival_rate * self.num_workshops * load
            _require(1 <= flows <= 1e7, f"{name}: {load} gives {flows:g} flows per episode; allowed are 1 to 1e7")

        self._check_log()

    def _check_log(self) -> None:
        given = self.trace_columns
        names = [name.strip() for name in given.split(",")]
        _require(
            given == "auto" or len(set(names) - {""}) == len(names) == 3,
            f"trace_columns: {given!r} is not auto or three different names TIME,IN,OUT",
        )
        for name, default in (("trace_columns", "auto"), ("trace_from", "none"), ("trace_to", "none")):
            value = getattr(self, name)
            _require(value == default or self.trace != "none", f"{name}: {value!r} is given without a trace")
        swing = self.load_swing
        _require(
            not swing or self.trace == "none", f"load_swing: {swing} is not 0 with a trace, whose load moves by itself"
        )

    def at_load(self, load: float) -> "WorldConfig":
        """Return the same world with one load for all episodes."""
        return replace(self, load=load, load_low=0.0, load_high=0.0)

    @property
    def flows_per_slot(self) -> float:
        """Mean arrivals in a slot, lambda * W * load."""
        return self.arrival_rate * self.num_workshops * self.load

    @property
    def largest_episode(self) -> float:
        """Mean number of flows of an episode at the largest load, if it stays there."""
        return self.num_slots * self.flows_per_slot * max(1.0, self.load_high / self.load) * (1 + self.load_swing)

    @property
    def num_actions(self) -> int:
        """A, gateways times levels: K of Eq. (26)."""
        return self.num_gateways * NUM_LEVELS

    @property
    def state_dim(self) -> int:
        """S, the length of Eq. (11): four of the flow, two per gateway, one of the server."""
        return 5 + 2 * self.num_gateways


@dataclass(frozen=True)
class LearnerConfig:
    """The agents and their schedule, Table 1. A setting that only one agent uses is prefixed with its name."""

    agent: str = setting("d2sac", "which agent learns", choices=("d2sac", "sac", "dqn", "ppo"))
    network: str = setting("mlp", "one for the whole state, or one shared by all gateways", choices=("mlp", "shared"))
    critic: str = setting("values", "values, or prices of what is taken (network shared)", choices=("values", "priced"))
    gamma: float = setting(0.95, "gamma, discount factor", 0, 1)
    entropy_temperature: float = setting(0.05, "alpha of Table 1, weight of the entropy in J", 0, 1e3)
    tau: float = setting(0.005, "tau, soft update rate", TINY, 1)
    batch_size: int = setting(512, "B, batch size", 1, 1_000_000)
    buffer_size: int = setting(1_000_000, "replay buffer, transitions", 1, 10_000_000)
    hidden: int = setting(256, "h, width of the two hidden layers", 1, 4096)
    epochs: int = setting(1000, "M, epochs", 1, 10_000_000)
    updates_per_epoch: int = setting(100, "N_step/epoch, gradient steps per epoch", 0, 10_000_000)
    collect_per_epoch: int = setting(1000, "N_step/collect, transitions per epoch", 1, 10_000_000)
    num_envs: int = setting(100, "E, environments simulated side by side", 1, 100_000)
    actor_lr: float = setting(1e-4, "eta_actor, learning rate of d2sac's and sac's actor", TINY, 1)
    critic_lr: float = setting(1e-4, "eta_critic, learning rate of d2sac's critics", TINY, 1)
    n_step: int = setting(3, "n of n-step temporal differences", 1, 1000)
    weight_decay: float = setting(1e-4, "lambda_wd, weight decay as L2", 0, 1)
    d2sac_denoising_steps: int = setting(10, "N (T_d of Table 1), denoising steps", 1, 1000)
    d2sac_beta_min: float = setting(0.1, "beta_min of Eq. (22)", 1e-6, 100)
    d2sac_beta_max: float = setting(10.0, "beta_max of Eq. (22)", 1e-6, 100)
    d2sac_diffusion_weight: float = setting(3.0, "weight of L_d / A, Eq. (25), beside J", 0, 1e3)
    d2sac_confidence: float = setting(0.9, "probability of the preferred action under the clean latent", 0.5, 0.999)
    sac_critic_lr: float = setting(3e-4, "learning rate of sac's critics", TINY, 1)
    dqn_lr: float = setting(1e-4, "learning rate of dqn", TINY, 1)
    dqn_epsilon_final: float = setting(0.05, "exploration rate at the end", 0, 1)
    dqn_epsilon_share: float = setting(0.2, "share of the run over which the rate falls from 1", TINY, 1)
    ppo_lr: float = setting(1e-3, "learning rate of ppo's actor and critic", TINY, 1)
    ppo_entropy: float = setting(0.01, "weight of the entropy in ppo's objective", 0, 1e3)
    ppo_clip: float = setting(0.2, "how far the ratio of new to old policy counts", TINY, 1)
    ppo_gae_lambda: float = setting(0.9, "lambda of generalised advantages", 0, 1)
    ppo_passes: int = setting(10, "passes over a rollout", 1, 1000)

    def __post_init__(self) -> None:
        check_fields(self)
        priced = self.critic == "priced"
        _require(not priced or self.network == "shared", f"critic: priced needs network shared, not {self.network}")
        _require_order(self, "d2sac_beta_min", "d2sac_beta_max")
        low, high, n = self.d2sac_beta_min, self.d2sac_beta_max, self.d2sac_denoising_steps
        last_is_below_1 = low / n + (high - low) * (2 * n - 1) / (2 * n**2) <= 30
        _require(last_is_below_1, f"d2sac_beta_max: {high} is too large for {n} denoising steps: beta_N would be 1")
        size, per_epoch, transitions = self.batch_size, self.collect_per_epoch, self.epochs * self.collect_per_epoch
        least = 2 if self.agent == "ppo" else 1  # one advantage has no deviation to be divided by
        _require(per_epoch >= least, f"collect_per_epoch: {per_epoch} is not at least {least} for {self.agent}")
        _require_order(self, "batch_size", "buffer_size")
        _require(size <= transitions, f"batch_size: {size} is not at most epochs * collect_per_epoch ({transitions})")
        for name in ("collect_per_epoch", "buffer_size"):
            value = getattr(self, name)
            _require(value % self.num_envs == 0, f"{name}: {value} is not a multiple of num_envs ({self.num_envs})")
        rows = self.buffer_size // self.num_envs
        _require(self.n_step <= rows, f"n_step: {self.n_step} is not at most buffer_size / num_envs ({rows})")


@dataclass(frozen=True)
class RunConfig:
    """How a run is carried out: seed, evaluation, saving, hardware."""

    seed: int = setting(0, "seed of every random stream of the run", 0, 2**32 - 1)
    eval_every: int = setting(10, "epochs between evaluations", 1, 10_000_000)
    eval_episodes: int = setting(16, "held-out episodes of an evaluation", 1, 10_000)
    eval_draws: int = setting(8, "noise draws averaged when evaluating", 1, 1000)
    final_episodes: int = setting(64, "held-out episodes of the final table", 1, 10_000)
    checkpoint_every_s: float = setting(50.0, "time between two checkpoints of a run, s", 0, 1e6)
    device: str = setting("cpu", "where the learner runs: cpu, cuda, or cuda:1 for the second GPU")
    threads: int = setting(1, "threads of torch", 1, 1024)
    matmul_precision: str = setting("highest", "float32 products of torch", choices=("highest", "high", "medium"))

    def __post_init__(self) -> None:
        check_fields(self)
        known = re.fullmatch(r"cpu|cuda(:[0-9]+)?", self.device)
        _require(bool(known), f"device: {self.device!r} is not one of cpu, cuda, cuda:N")


CONFIGS: dict[str, type] = {"world": WorldConfig, "learner": LearnerConfig, "run": RunConfig}


class Settings(NamedTuple):
    """All settings of a run."""

    world: WorldConfig
    learner: LearnerConfig
    run: RunConfig

    def changed(self, given: dict[str, dict]) -> "Settings":
        """Return the settings with what is given for "world", "learner" or "run"."""
        return Settings(*(replace(config, **given.get(name, {})) for name, config in self._asdict().items()))

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain dictionaries, ready for JSON or a file."""
        return {name: asdict(config) for name, config in self._asdict().items()}


PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},  # Table 1 as printed
    "quick": dict(epochs=100, eval_every=5),  # Table 1 with a tenth of the epochs: minutes on one core
    "deploy": dict(  # not the paper's: shared networks, a price, weights of priorities, a range of loads, two steps
        network="shared", critic="priced", hidden=64, load_low=0.5, load_high=3.0,
        priority1_weight=0.5, priority3_weight=2.0,
        epochs=40, collect_per_epoch=5000, batch_size=256, buffer_size=200_000, eval_every=10, final_episodes=32,
        gamma=0.975, n_step=40, actor_lr=1e-3, critic_lr=5e-4, d2sac_denoising_steps=2, d2sac_diffusion_weight=0.1,
        sac_critic_lr=5e-4, dqn_lr=5e-4, dqn_epsilon_final=0.01, ppo_gae_lambda=0.95,
    ),
}  # fmt: skip


def preset_settings(preset: str, given: dict[str, dict]) -> Settings:
    """Build the settings of a preset, changed by what is given for "world", "learner" and "run"."""
    if preset not in PRESETS:
        raise ConfigError(f"preset: {preset!r} is not one of {', '.join(PRESETS)}")
    defaults = Settings(WorldConfig(), LearnerConfig(), RunConfig())
    return defaults.changed(by_configuration(PRESETS[preset], *CONFIGS)).changed(given)


def by_configuration(given: Mapping[str, Any], *names: str) -> dict[str, dict[str, Any]]:
    """Sort settings by the configuration they belong to; `ConfigError` at one of none of the named configurations."""
    found: dict[str, dict[str, Any]] = {name: {} for name in CONFIGS}
    for key, value in given.items():
        home = next((name for name in names if key in {f.name for f in fields(CONFIGS[name])}), "")
        _require(home != "", f"{key}: is not a setting of {' or '.join(names)}")
        found[home][key] = value
    return found


def check_fields(config: "WorldConfig | LearnerConfig | RunConfig") -> None:
    """Keep every field as Python's own int, float or str; `ConfigError` unless it is one and in its declared range."""
    for f in fields(config):
        value = plain(getattr(config, f.name), f.type)
        if value is None or not _in_range(f, value):
            given = getattr(config, f.name)
            shown = repr(given) if isinstance(given, str) else " ".join(str(given).split())[:100]
            raise ConfigError(f"{f.name}: {shown} is not {describe_allowed(f)}")
        object.__setattr__(config, f.name, value)  # the way to set a field of a frozen dataclass


def plain(value: Any, kind: Any) -> Any:
    """Return a value of Python, NumPy or torch as an int, float or str, whichever `kind` is; None if it is none.

    A truth value is no number, and 3.0 is no int.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a scalar of NumPy or torch, an array without axes
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, {int: Integral, float: Real, str: str}[kind]):
        return None
    with suppress(OverflowError):  # a whole number beyond all floats
        return kind(value)


def describe_allowed(f: Field) -> str:
    """Say in words which values a field takes."""
    low, high, choices = (f.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return "one of " + ", ".join(choices)
    if f.type is str:
        return "a non-empty text"
    return f"a whole number from {low} to {high}" if f.type is int else f"a number from {low:g} to {high:g}"


def _in_range(f: Field, value: Any) -> bool:
    if f.type is str:
        return value in f.metadata["choices"] if f.metadata["choices"] else value != ""
    return f.metadata["low"] <= value <= f.metadata["high"]  # NaN and the infinities are in no range


def _require_order(config: "WorldConfig | LearnerConfig", *names: str) -> None:
    for name, other in zip(names, names[1:], strict=False):
        low, high = getattr(config, name), getattr(config, other)
        _require(low <= high, f"{name}: {low} is not at most {other} ({high})")


def _require(good: bool, message: str) -> None:
    if not good:
        raise ConfigError(message)
