"""What every agent shares: networks built from one seed, acting, memory, a step of Adam, and its state by name.

The agents differ in their networks, in the policy that these define, and in one gradient step.
"""

import operator
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.cuda_graph import captured_update
from edgediff.learner.networks import builders
from edgediff.learner.replay import Replay
from edgediff.learner.shared import Widths

Seed = int | np.random.SeedSequence
Stream = torch.Generator | Seed | None  # a random stream, its seed, or None for that of all evaluations


class Agent:
    """An agent for states of S numbers and actions 0 .. A - 1, on any device that torch names.

    With network `shared`, `widths` says how a state is laid out. A child names METRICS and defines `build`,
    `training_policy` and `update`. Raises `ConfigError` at a seed or widths that cannot be used.
    """

    METRICS: tuple[str, ...]  # the names of what `update` returns, in the order of the CSV file
    MODES: tuple[str, ...] = "argmax", "sample"  # ways of evaluating, the default first
    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Adam]

    def __init__(
        self,
        state_dim: int,
        num_actions: int,
        config: LearnerConfig,
        seed: Seed = 0,
        device: str = "cpu",
        widths: Widths | tuple[int, ...] | None = None,
    ):
        self.state_dim, self.num_actions, self.config, self.device = state_dim, num_actions, config, device
        self.on_gpu = torch.device(device).type == "cuda"
        self.new = builders(config, state_dim, num_actions, widths)
        init, act, learn = (int(s) for s in seed_sequence(seed).generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            # The one stream that `build` draws the first weights from; `torch.manual_seed` would reseed a GPU, too.
            torch.default_generator.manual_seed(init)
            self.build()
        self.act_stream = torch.Generator(device).manual_seed(act)
        self.learn_stream = torch.Generator(device).manual_seed(learn)
        self.capture()

    def build(self) -> None:
        """Create `networks` and `optimisers`, all that is saved of an agent, by name."""
        raise NotImplementedError

    def capture(self) -> None:
        """Launch the kernels of an update together from now on, if there is a GPU; the results are the same."""
        if self.on_gpu:
            update, optimisers = partial(type(self).update, self), list(self.optimisers.values())
            self.update = captured_update(update, optimisers, self.learn_stream)  # type: ignore[assignment, method-assign]

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

    def act(self, observation: np.ndarray, generator: Stream = None, mode: str = "", draws: int = 8) -> np.ndarray:
        """Choose actions (E,) for observations (E, S), as `act_with_probabilities` does."""
        return self.act_with_probabilities(observation, generator, mode, draws)[0]

    @torch.inference_mode()
    def act_with_probabilities(
        self, observation: np.ndarray, generator: Stream = None, mode: str = "", draws: int = 8
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose actions (E,) for observations (E, S); return also the probabilities (E, A) they were chosen by.

        It uses the evaluation policy and changes nothing that training depends on. Mode `sample` samples, `argmax`
        takes the most likely action, and `mean` the most likely action of the policy averaged over `draws` noise
        draws; "" is the first of MODES. Raises ValueError at a wrong shape or another mode, and `NonFiniteError` if a
        value is not finite.
        """
        mode, state = self.checked_mode(mode), self.checked_state(observation)
        stream = generator if isinstance(generator, torch.Generator) else self.evaluation_stream(generator or 0)
        draws = draws if mode == "mean" else 1
        pi = self.evaluation_policy(state.repeat(draws, 1), stream).view(draws, len(state), -1).mean(dim=0)
        require_finite("action probabilities", pi)
        action = torch.multinomial(pi, 1, generator=stream)[:, 0] if mode == "sample" else pi.argmax(dim=1)
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

    def evaluation_stream(self, seed: Seed = 0) -> torch.Generator:
        """Return the random stream that every evaluation starts with, or that of another seed."""
        number = seed.generate_state(1, np.uint64)[0] if isinstance(seed, np.random.SeedSequence) else seed
        return torch.Generator(self.device).manual_seed(int(number))

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
        moments = {name: [dict(each.state[p]) for p in parameters(each)] for name, each in self.optimisers.items()}
        return {
            "weights": self.weights(),
            "moments": moments,  # of Adam, by parameter; empty before the first step
            "act_stream": self.act_stream.get_state(),
            "learn_stream": self.learn_stream.get_state(),
        }

    def load_snapshot(self, saved: dict) -> None:
        """Restore a snapshot."""
        self.load_weights(saved["weights"])
        for name, optimiser in self.optimisers.items():
            for p, moments in zip(parameters(optimiser), saved["moments"][name], strict=True):
                optimiser.state[p] = {key: value.to(p.device, copy=True) for key, value in moments.items()}
        self.act_stream.set_state(saved["act_stream"])
        self.learn_stream.set_state(saved["learn_stream"])
        self.capture()  # anew: what was captured before knows the places of the old moments


def gradient_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """Take one step of an optimiser down the gradient of a loss; return the norm of the gradient."""
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.get_total_norm([p.grad for p in parameters(optimiser) if p.grad is not None])
    optimiser.step()
    return norm


def parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """Return the parameters of an optimiser in order."""
    return [p for group in optimiser.param_groups for p in group["params"]]


def detached(**metrics: Tensor) -> dict[str, Tensor]:
    """Return metrics by name, cut off from the graph, so that an epoch of them holds no memory of its updates."""
    return {name: value.detach() for name, value in metrics.items()}


def require_finite(name: str, values: Tensor) -> None:
    """Raise `NonFiniteError` if a value is a NaN or an infinity."""
    if not torch.isfinite(values).all():
        raise NonFiniteError(f"{name}: not finite")


def seed_sequence(seed: Seed) -> np.random.SeedSequence:
    """Return a seed as a SeedSequence; `ConfigError` if it is neither that nor a whole number from 0."""
    try:
        return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(operator.index(seed))
    except (TypeError, ValueError):
        raise ConfigError(f"seed: {seed!r} is not a whole number from 0, or a SeedSequence of NumPy") from None
