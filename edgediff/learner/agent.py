"""What every agent shares: networks built from one seed, acting, memory, and its state by name.

The agents differ in their networks, in the policy that these define, and in one gradient step.
"""

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.errors import ConfigError, NonFiniteError
from edgediff.learner.replay import Batch, Replay


class Agent:
    """An agent. A child names NETWORKS, OPTIMISERS and METRICS, and defines `build`, `training_policy`, `update`."""

    NETWORKS: tuple[str, ...]
    OPTIMISERS: tuple[str, ...]
    METRICS: tuple[str, ...]
    MODES: tuple[str, ...] = "argmax", "sample"  # ways of evaluating, the default first
    STREAMS = "act_stream", "learn_stream"

    def __init__(
        self, state_dim: int, num_actions: int, config: LearnerConfig, seed: np.random.SeedSequence, device: str = "cpu"
    ):
        self.state_dim, self.num_actions, self.config, self.device = state_dim, num_actions, config, device
        init, act, learn = (int(s) for s in seed.generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(init)
            self.build()
        self.act_stream = torch.Generator(device).manual_seed(act)
        self.learn_stream = torch.Generator(device).manual_seed(learn)

    def build(self) -> None:
        """Create networks and optimisers."""
        raise NotImplementedError

    def training_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy pi(. | s) that collects experience, (B, A)."""
        raise NotImplementedError

    def evaluation_policy(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy pi(. | s) that is evaluated, (B, A)."""
        return self.training_policy(state, generator)

    def update(self, batch) -> dict[str, Tensor]:
        """Take one gradient step; return the METRICS as detached scalars.

        An update never waits for the device: it has no `.item()` and no shape that depends on data.
        """
        raise NotImplementedError

    def act(self, observation: np.ndarray, mode: str = "explore", draws: int = 1, generator=None) -> np.ndarray:
        """Choose actions (E,) for observations (E, S), as `act_with_probabilities` does."""
        return self.act_with_probabilities(observation, mode, draws, generator)[0]

    @torch.inference_mode()
    def act_with_probabilities(
        self, observation: np.ndarray, mode: str = "explore", draws: int = 1, generator=None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose actions (E,) for observations (E, S); return also the probabilities (E, A) they were chosen by.

        `explore` samples from the training policy. The other MODES use the evaluation policy: `sample` samples from
        it, `argmax` takes its most likely action, and `mean` takes the most likely action of its average over `draws`
        noise draws. Raises `ConfigError` for another mode, `NonFiniteError` if a value is not finite.
        """
        if mode not in ("explore", *self.MODES):
            raise ConfigError(f"mode: {mode!r} is not one of explore, {', '.join(self.MODES)}")
        generator = generator or self.act_stream
        policy = self.training_policy if mode == "explore" else self.evaluation_policy
        draws = draws if mode == "mean" else 1
        state = torch.as_tensor(observation, device=self.device)
        pi = policy(state.repeat(draws, 1), generator).view(draws, len(state), -1).mean(dim=0)
        for name, value in (("observation", state), ("action probabilities", pi)):
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"{name}: not finite")
        sampled = mode in ("explore", "sample")
        action = torch.multinomial(pi, 1, generator=generator)[:, 0] if sampled else pi.argmax(dim=1)
        return action.cpu().numpy(), pi.cpu().numpy()

    def check_can_act(self, observation: np.ndarray) -> None:
        """Raise `NonFiniteError` unless all weights, and the probabilities for an observation, are finite."""
        for network, tensors in self.weights().items():
            for name, tensor in tensors.items():
                if not torch.isfinite(tensor).all():
                    raise NonFiniteError(f"weights of {network}.{name}: not finite")
        self.act(observation, generator=torch.Generator(self.device))

    def memory(self) -> Replay:
        """Create what the agent learns from: a replay buffer, B of Algorithm 1."""
        return Replay(self.config.buffer_size, self.config.num_envs, self.state_dim, self.num_actions, self.device)

    def num_updates(self, memory: Replay) -> int:
        """Return the number of gradient steps of an epoch, Algorithm 1, line 9: none until there is a full batch."""
        return self.config.updates_per_epoch if len(memory) >= self.config.batch_size else 0

    def batch(self, memory: Replay, k: int, generator: torch.Generator) -> Batch:
        """Draw the batch of gradient step k of an epoch, Algorithm 1, line 10."""
        return memory.sample(self.config.batch_size, self.config.n_step, self.config.gamma, generator)

    def adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        """Create the optimiser of Table 1: Adam with weight decay as L2."""
        return torch.optim.Adam(network.parameters(), lr, weight_decay=self.config.weight_decay, fused=True)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return the parameters by network."""
        return {name: getattr(self, name).state_dict() for name in self.NETWORKS}

    def load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        """Restore parameters."""
        for name in self.NETWORKS:
            getattr(self, name).load_state_dict(weights[name])

    def snapshot(self) -> dict:
        """Return all that the future of the agent depends on; a child adds what it counts."""
        return {
            "weights": self.weights(),
            "moments": {name: moments(getattr(self, name)) for name in self.OPTIMISERS},
            "streams": {name: getattr(self, name).get_state() for name in self.STREAMS},
        }

    def load_snapshot(self, saved: dict) -> None:
        """Restore a snapshot."""
        self.load_weights(saved["weights"])
        for name in self.OPTIMISERS:
            load_moments(getattr(self, name), saved["moments"][name])
        for name in self.STREAMS:
            getattr(self, name).set_state(saved["streams"][name])

    def logged(self, *values: Tensor) -> dict[str, Tensor]:
        """Pair the METRICS with their values."""
        return {name: value.detach() for name, value in zip(self.METRICS, values, strict=True)}


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """Take one optimiser step and return the norm of the gradient."""
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.get_total_norm([p.grad for p in parameters(optimiser)])
    optimiser.step()
    return norm


def parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """Return the parameters of an optimiser in order."""
    return [p for group in optimiser.param_groups for p in group["params"]]


def moments(optimiser: torch.optim.Adam) -> list[dict[str, Tensor]]:
    """Return the state of Adam for each parameter: step count and both moments; empty before the first step."""
    return [dict(optimiser.state[p]) for p in parameters(optimiser)]


def load_moments(optimiser: torch.optim.Adam, saved: list[dict[str, Tensor]]) -> None:
    """Restore the state of Adam."""
    for p, values in zip(parameters(optimiser), saved, strict=True):
        optimiser.state[p] = {name: value.to(p.device) for name, value in values.items()}
