"""One environment and the batch of the simulator, as Gymnasium wants them."""

from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from edgediff.config import WorldConfig, by_configuration, plain
from edgediff.errors import ConfigError
from edgediff.gym.picture import Scene, frame, last_flow, scene
from edgediff.gym.space import observation_space
from edgediff.world.simulator import Simulator
from edgediff.world.workload import HELD_OUT


class _EdgeNetwork:
    """What a single environment and a batch share: settings, spaces, and how an episode starts."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}
    np_random: np.random.Generator

    def _build(self, num_envs: int, first_env: int, render_mode: str | None, settings: dict[str, Any]) -> Box:
        for name, value, low in (("num_envs", num_envs, 1), ("first_env", first_env, 0)):
            if (number := plain(value, int)) is None or number < low:
                raise ConfigError(f"{name}: {value!r} is not a whole number from {low}")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode: {render_mode!r} is not rgb_array")
        world = WorldConfig(**by_configuration(settings, "world")["world"])
        self.simulator = Simulator(world, int(num_envs), int(first_env))
        self.render_mode, self._started = render_mode, False
        self._decided: tuple[np.ndarray, dict[str, np.ndarray]] | None = None
        return observation_space(self.simulator)

    def _begin(self, seed: int | None, envs: np.ndarray | None = None) -> np.ndarray:
        """Start episode 0 of a seed, or without one the next episode; the first seed is drawn if none is given."""
        if seed is None and not self._started:
            seed = int(self.np_random.integers(HELD_OUT))
        self._started, self._decided = True, None
        return self.simulator.next_episode(envs) if seed is None else self.simulator.reset(seed)

    def _step(self, action: np.ndarray) -> tuple[Any, ...]:
        """Take the step of the simulator; return its results with the successor and the outcome in place of info."""
        self._check_started("step")
        *result, info = self.simulator.step(action)
        outcome = {name: value for name, value in info.items() if name not in ("reward", "successor")}
        self._decided = action, outcome
        return (*result, info["successor"], outcome)

    def _check_started(self, call: str) -> None:
        if not self._started:
            raise ResetNeeded(f"{call}: no episode has begun, call reset first")


def _known(options: Any, *names: str) -> dict[str, Any]:
    """Return the options of a reset; raise `ConfigError` at one that would be ignored."""
    if options is not None and not isinstance(options, dict):
        raise ConfigError(f"options: {options!r:.100} is no dict")
    if unknown := (options or {}).keys() - set(names):
        raise ConfigError(
            f"options: {min(unknown, key=str)!r:.100} is not known, allowed: {', '.join(names) or 'none'}"
        )
    return options or {}


class EdgeNetworkEnv(_EdgeNetwork, gymnasium.Env):
    """One edge network. An episode is truncated when its slots are used up; it is never terminated."""

    def __init__(self, *, render_mode: str | None = None, first_env: int = 0, **settings: Any):
        self.observation_space = self._build(1, first_env, render_mode, settings)
        self.action_space = Discrete(self.simulator.world.num_actions)
        self._ended = False
        self._scene: Scene | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Start episode 0 on the traffic of `seed`; without a seed, go on to the next episode, whole or not."""
        _known(options)
        super().reset(seed=None if seed is None else index(seed))  # Gymnasium takes no number of NumPy
        if self._ended and seed is None:  # the simulator has gone on by itself
            observation, self._decided = self.simulator.observation(), None
        else:
            observation = self._begin(seed)
        self._ended, self._scene = False, None
        return observation[0], {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Decide the present flow; info is its outcome."""
        if self._ended:
            raise ResetNeeded("step: the episode is over, call reset first")
        _, reward, _, truncated, successor, info = self._step(np.asarray([action]))
        self._ended = bool(truncated[0])
        info = {name: value[0].item() for name, value in info.items()}
        return successor[0], float(reward[0]), False, self._ended, info

    def render(self) -> np.ndarray | None:
        """Return the picture; after the last flow, of the network as it was shown before."""
        if self.render_mode is None:
            return None
        self._check_started("render")
        if self._scene is None or not self._ended:
            self._scene = scene(self.simulator, 0)
        return frame(self._scene, last_flow(self._decided, 0))


class EdgeNetworkVectorEnv(_EdgeNetwork, gymnasium.vector.VectorEnv):
    """E edge networks in one simulator, with automatic reset in the same step."""

    metadata = _EdgeNetwork.metadata | {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int = 1, *, render_mode: str | None = None, first_env: int = 0, **settings: Any):
        self.single_observation_space = self._build(num_envs, first_env, render_mode, settings)
        self.single_action_space = Discrete(self.simulator.world.num_actions)
        self.num_envs = self.simulator.num_envs
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Start episode 0 of every environment on the traffic of `seed`; without a seed, go on to the next episodes.

        `options={"reset_mask": mask}`, (E,) of bool, restricts a reset without a seed to some environments.
        """
        mask = _known(options, "reset_mask").get("reset_mask")
        if mask is not None and (seed is not None or not self._started):
            raise ConfigError("reset_mask: needs a reset of all environments before it, and takes no seed")
        if mask is not None and (np.shape(mask) != (self.num_envs,) or np.asarray(mask).dtype != bool):
            raise ConfigError(f"reset_mask: is not an array of {self.num_envs} truth values")
        super().reset(seed=None if seed is None else index(seed))
        return self._begin(seed, mask), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Decide the present flow of every environment; info is their outcome, (E,) each.

        Where an episode ends, the observation is the first of the next one. `info["final_obs"]` and
        `info["final_info"]` then hold the last observation and outcome, and `_final_obs` and `_final_info` where.
        """
        observation, reward, terminated, truncated, successor, outcome = self._step(np.asarray(actions))
        info = dict(outcome)
        if truncated.any():
            final = np.full(self.num_envs, None, object)
            for env in np.flatnonzero(truncated):
                final[env] = successor[env]
            kept = {name: np.where(truncated, value, value.dtype.type(0)) for name, value in outcome.items()}
            kept |= {f"_{name}": truncated.copy() for name in outcome}
            info |= {"final_obs": final, "_final_obs": truncated.copy()}
            info |= {"final_info": kept, "_final_info": truncated.copy()}
        return observation, reward, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return one picture per environment, of its present episode."""
        if self.render_mode is None:
            return None
        self._check_started("render")
        envs = range(self.num_envs)
        return tuple(frame(scene(self.simulator, env), last_flow(self._decided, env)) for env in envs)
