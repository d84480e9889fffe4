"""What every agent shares: networks built from one seed, acting, memory, and its state by name.

The agents differ in their networks, in the policy that these define, and in one gradient step.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.cuda_graph import recorded_update
from edgediff.learner.networks import mlp
from edgediff.learner.optimiser import load_moments, moments
from edgediff.learner.replay import Replay
from edgediff.learner.shared import PricedCritic, SharedNetwork


class Agent:
    """An agent. A child names METRICS and defines `build`, `training_policy` and `update`."""

    METRICS: tuple[str, ...]  # the names of what `update` returns, in the order of the CSV file
    MODES: tuple[str, ...] = "argmax", "sample"  # ways of evaluating, the default first
    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Adam]

    def __init__(
        self, state_dim: int, num_actions: int, config: LearnerConfig, seed: np.random.SeedSequence, device: str = "cpu"
    ):
        self.state_dim, self.num_actions, self.config, self.device = state_dim, num_actions, config, device
        self.shared = config.network != "mlp"
        init, act, learn = (int(s) for s in seed.generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            # The one stream that `build` draws the first weights from; `torch.manual_seed` would reseed a GPU, too.
            torch.default_generator.manual_seed(init)
            self.build()
        self.act_stream = torch.Generator(device).manual_seed(act)
        self.learn_stream = torch.Generator(device).manual_seed(learn)
        if device == "cuda":
            self.record()

    def build(self) -> None:
        """Create `networks` and `optimisers`, all that is saved of an agent, by name."""
        raise NotImplementedError

    def record(self) -> None:
        """Launch the kernels of an update together, on a GPU; the results are the same."""
        optimisers = list(self.optimisers.values())
        self.update = recorded_update(self.update, optimisers, self.learn_stream)  # type: ignore[assignment, method-assign]

    def action_network(self) -> nn.Module:
        """Create a network from states (B, S) to one number for every action, (B, A)."""
        hidden = self.config.hidden
        return SharedNetwork(hidden) if self.shared else mlp(self.state_dim, hidden, self.num_actions)

    def critic_network(self) -> nn.Module:
        """Create a network from states (B, S) to the value of every action, (B, A)."""
        return PricedCritic(self.config.hidden) if self.config.network == "priced" else self.action_network()

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy pi(. | s) that collects experience, (B, A)."""
        raise NotImplementedError

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy pi(. | s) that is evaluated, (B, A)."""
        return self.training_policy(state, generator)

    def update(self, batch: Any) -> dict[str, Tensor]:
        """Take one gradient step; return the METRICS as detached scalars.

        An update never waits for the device: it has no `.item()` and no shape that depends on data.
        """
        raise NotImplementedError

    @torch.inference_mode()
    def explore(self, observation: np.ndarray) -> np.ndarray:
        """Sample actions (E,) for observations (E, S) from the training policy, Algorithm 1, line 6.

        The one way of acting that moves the agent's own stream. Raises as `act` does.
        """
        pi = self.training_policy(self.checked_state(observation), self.act_stream)
        require_finite("action probabilities", pi)
        return torch.multinomial(pi, 1, generator=self.act_stream)[:, 0].cpu().numpy()

    def act(self, observation: np.ndarray, generator: torch.Generator, mode: str = "", draws: int = 1) -> np.ndarray:
        """Choose actions (E,) for observations (E, S), as `act_with_probabilities` does."""
        return self.act_with_probabilities(observation, generator, mode, draws)[0]

    @torch.inference_mode()
    def act_with_probabilities(
        self, observation: np.ndarray, generator: torch.Generator, mode: str = "", draws: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose actions (E,) for observations (E, S); return also the probabilities (E, A) they were chosen by.

        It uses the evaluation policy and changes nothing that training depends on. Mode `sample` samples, `argmax`
        takes the most likely action, and `mean` the most likely action of the policy averaged over `draws` noise
        draws; "" is the first of MODES. Raises ValueError at a wrong shape or another mode, and `NonFiniteError` if a
        value is not finite.
        """
        mode, state = self.checked_mode(mode), self.checked_state(observation)
        draws = draws if mode == "mean" else 1
        pi = self.evaluation_policy(state.repeat(draws, 1), generator).view(draws, len(state), -1).mean(dim=0)
        require_finite("action probabilities", pi)
        action = torch.multinomial(pi, 1, generator=generator)[:, 0] if mode == "sample" else pi.argmax(dim=1)
        return action.cpu().numpy(), pi.cpu().numpy()

    def checked_mode(self, mode: str) -> str:
        """Return a way of evaluating that the agent knows, its first one for ""; `ConfigError` at another."""
        if mode == "":
            return self.MODES[0]
        if mode not in self.MODES:
            raise ConfigError(f"mode: {mode!r} is not one of {', '.join(self.MODES)}")
        return mode

    def checked_state(self, observation: Any) -> Tensor:
        """Return observations as a tensor (E, S) of float32; ValueError at another shape, `NonFiniteError` at a NaN."""
        state = torch.as_tensor(observation).to(self.device, torch.float32)
        if state.ndim != 2 or state.shape[1] != self.state_dim:
            raise ValueError(
                f"observation: shape {tuple(state.shape)} is not (E, {self.state_dim}), one row per environment"
            )
        require_finite("observation", state)
        return state

    def evaluation_stream(self) -> torch.Generator:
        """Return the random stream that every evaluation starts with."""
        return torch.Generator(self.device).manual_seed(0)

    def check_finite(self, observation: np.ndarray) -> None:
        """Raise `NonFiniteError` unless all weights, and the probabilities for an observation, are finite."""
        for network, tensors in self.weights().items():
            for name, tensor in tensors.items():
                require_finite(f"weights of {network}.{name}", tensor)
        with torch.inference_mode():
            pi = self.training_policy(self.checked_state(observation), torch.Generator(self.device))
            require_finite("action probabilities", pi)

    def memory(self) -> Replay:
        """Create what the agent learns from: a replay buffer, B of Algorithm 1."""
        return Replay(self.config.buffer_size, self.config.num_envs, self.state_dim, self.num_actions, self.device)

    def batches(self, memory: Replay, generator: torch.Generator) -> Iterator[Any]:
        """Draw the batches of an epoch, Algorithm 1, lines 9-10: none until the memory holds a full one."""
        if len(memory) >= self.config.batch_size:
            for _ in range(self.config.updates_per_epoch):
                yield memory.sample(self.config.batch_size, self.config.n_step, self.config.gamma, generator)

    def adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        """Create the optimiser of Table 1: Adam with weight decay as L2."""
        return torch.optim.Adam(network.parameters(), lr, weight_decay=self.config.weight_decay, fused=True)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return the parameters by network."""
        return {name: network.state_dict() for name, network in self.networks.items()}

    def load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        """Restore parameters."""
        for name, network in self.networks.items():
            network.load_state_dict(weights[name])

    def snapshot(self) -> dict:
        """Return all that the future of the agent depends on; a child adds what it counts."""
        return {
            "weights": self.weights(),
            "moments": {name: moments(optimiser) for name, optimiser in self.optimisers.items()},
            "act_stream": self.act_stream.get_state(),
            "learn_stream": self.learn_stream.get_state(),
        }

    def load_snapshot(self, saved: dict) -> None:
        """Restore a snapshot."""
        self.load_weights(saved["weights"])
        for name, optimiser in self.optimisers.items():
            load_moments(optimiser, saved["moments"][name])
        self.act_stream.set_state(saved["act_stream"])
        self.learn_stream.set_state(saved["learn_stream"])


def detached(**metrics: Tensor) -> dict[str, Tensor]:
    """Return metrics by name, cut off from the graph, so that an epoch of them holds no memory of its updates."""
    return {name: value.detach() for name, value in metrics.items()}


def require_finite(name: str, values: Tensor) -> None:
    """Raise `NonFiniteError` if a value is a NaN or an infinity."""
    if not torch.isfinite(values).all():
        raise NonFiniteError(f"{name}: not finite")
