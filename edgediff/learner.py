"""What every learning agent is made of: networks built from one seed, acting, memory, weights by name.

D2SAC and the baselines differ in their networks, in the policy these stand for, and in one gradient step.
"""

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.errors import NonFiniteError
from edgediff.replay import Batch, Replay


class Learner:
    """An agent; a child names its NETWORKS, OPTIMISERS and METRICS, and writes `build`, `probabilities`, `update`."""

    NETWORKS: tuple[str, ...]
    OPTIMISERS: tuple[str, ...]
    METRICS: tuple[str, ...]
    MODES: tuple[str, ...] = "argmax", "sample"  # ways of evaluating that it knows, the usual one first

    def __init__(self, state_dim: int, num_actions: int, config: LearnerConfig, seed: np.random.SeedSequence):
        self.state_dim, self.num_actions, self.config = state_dim, num_actions, config
        init, act, learn = (int(s) for s in seed.generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(init)
            self.build()
        self.act_stream = torch.Generator(config.device).manual_seed(act)
        self.learn_stream = torch.Generator(config.device).manual_seed(learn)

    def build(self) -> None:
        """Create networks and optimisers."""
        raise NotImplementedError

    def probabilities(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy pi(. | s) that is sampled while training, (B, A)."""
        raise NotImplementedError

    def deployed(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the policy that is evaluated, (B, A): the one of training, unless a child keeps a steadier one."""
        return self.probabilities(state, generator)

    def update(self, batch) -> dict[str, Tensor]:
        """Take one gradient step; return the METRICS as detached scalars.

        Nothing here may wait for the device: no `.item()`, no shape that depends on data.
        """
        raise NotImplementedError

    @torch.inference_mode()
    def act(self, observation: np.ndarray, mode: str = "explore", draws: int = 1, generator=None) -> np.ndarray:
        """Choose actions (E,) for observations (E, S).

        `explore` draws from the policy of training. Of the deployed policy, `sample` draws; `argmax` takes the
        most likely action; `mean` the most likely one of pi averaged over `draws` noise draws, which matters only
        where pi itself is random. Raises `NonFiniteError` if the observation or the probabilities are not finite.
        """
        generator = generator or self.act_stream
        policy = self.probabilities if mode == "explore" else self.deployed
        draws = draws if mode == "mean" else 1
        state = torch.as_tensor(observation, device=self.config.device)
        pi = policy(state.repeat(draws, 1), generator).view(draws, len(state), -1).mean(dim=0)
        for name, value in (("observation", state), ("action probabilities", pi)):
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"{name}: not finite")
        drawn = mode in ("explore", "sample")
        action = torch.multinomial(pi, 1, generator=generator)[:, 0] if drawn else pi.argmax(dim=1)
        return action.cpu().numpy()

    def memory(self):
        """Create what the agent learns from: a replay buffer, Algorithm 1's B."""
        c = self.config
        return Replay(c.buffer_size, c.num_envs, self.state_dim, self.num_actions, c.device)

    def num_updates(self, memory: Replay) -> int:
        """Return how many gradient steps an epoch has, Algorithm 1, line 9: none until the buffer holds a batch."""
        return self.config.updates_per_epoch if len(memory) >= self.config.batch_size else 0

    def batch(self, memory: Replay, k: int, generator: torch.Generator) -> Batch:
        """Draw the batch of an epoch's gradient step number k, Algorithm 1, line 10."""
        return memory.sample(self.config.batch_size, self.config.n_step, self.config.gamma, generator)

    def adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        """Create the optimiser of Table 1: Adam with weight decay as L2."""
        return torch.optim.Adam(network.parameters(), lr, weight_decay=self.config.weight_decay, fused=True)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return the parameters by network."""
        return {name: getattr(self, name).state_dict() for name in self.NETWORKS}

    def load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        """Put saved parameters in place."""
        for name in self.NETWORKS:
            getattr(self, name).load_state_dict(weights[name])

    def snapshot(self) -> dict:
        """Return all that the agent's future depends on; a child adds what it counts or keeps."""
        return {
            "weights": self.weights(),
            "moments": {name: moments(getattr(self, name)) for name in self.OPTIMISERS},
            "streams": {name: getattr(self, name).get_state() for name in ("act_stream", "learn_stream")},
        }

    def load_snapshot(self, saved: dict) -> None:
        """Put a saved state in place."""
        self.load_weights(saved["weights"])
        for name in self.OPTIMISERS:
            load_moments(getattr(self, name), saved["moments"][name])
        for name in ("act_stream", "learn_stream"):
            getattr(self, name).set_state(saved["streams"][name])

    def logged(self, *values: Tensor) -> dict[str, Tensor]:
        """Pair the METRICS with their values."""
        return {name: value.detach() for name, value in zip(self.METRICS, values)}


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """Take one optimiser step and return the norm of the gradient."""
    optimiser.zero_grad()
    loss.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
    optimiser.step()
    return norm


def moments(optimiser: torch.optim.Adam) -> list[dict[str, Tensor]]:
    """Return what Adam remembers of each parameter: step count and both moments; empty before the first step."""
    return [dict(optimiser.state[p]) for group in optimiser.param_groups for p in group["params"]]


def load_moments(optimiser: torch.optim.Adam, saved: list[dict[str, Tensor]]) -> None:
    """Put saved moments in place; ValueError if they do not fit the parameters."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for p, values in zip(parameters, saved, strict=True):
        shapes = {"step": (), "exp_avg": p.shape, "exp_avg_sq": p.shape} if values else {}
        if {name: value.shape for name, value in values.items()} != shapes or any(
            value.dtype != torch.float32 for value in values.values()
        ):
            raise ValueError("moments of another shape or type")
        optimiser.state[p] = {name: value.to(p.device) for name, value in values.items()}
