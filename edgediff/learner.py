"""What every learning agent is made of: networks built from one seed, acting, memory, weights by name.

D2SAC and the baselines differ in their networks, in the policy these stand for, and in one gradient step.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from edgediff.config import LearnerConfig
from edgediff.errors import NonFiniteError
from edgediff.replay import Batch, Replay

MODES = ("sample", "argmax", "mean")


class Learner:
    """An agent; a child names its `NETWORKS` and `METRICS`, and writes `build`, `probabilities` and `update`."""

    NETWORKS: tuple[str, ...]
    METRICS: tuple[str, ...]

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

    def update(self, batch) -> dict[str, Tensor]:
        """Take one gradient step; return the METRICS as detached scalars.

        Nothing here may wait for the device: no `.item()`, no shape that depends on data.
        """
        raise NotImplementedError

    @torch.inference_mode()
    def act(self, observation: np.ndarray, mode: str = "sample", draws: int = 1, generator=None) -> np.ndarray:
        """Choose actions (E,) for observations (E, S).

        `sample` draws from pi, as in training; `argmax` takes its most likely action; `mean` the most likely
        action of pi averaged over `draws` noise draws, which matters only where pi itself is random. Raises
        `NonFiniteError` if the observation or the probabilities are not finite.
        """
        generator = generator or self.act_stream
        draws = draws if mode == "mean" else 1
        state = torch.as_tensor(observation, device=self.config.device)
        pi = self.probabilities(state.repeat(draws, 1), generator).view(draws, len(state), -1).mean(dim=0)
        for name, value in (("observation", state), ("action probabilities", pi)):
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"{name}: not finite")
        action = torch.multinomial(pi, 1, generator=generator)[:, 0] if mode == "sample" else pi.argmax(dim=1)
        return action.cpu().numpy()

    def memory(self):
        """Create what the agent learns from: a replay buffer, Algorithm 1's B."""
        c = self.config
        return Replay(c.buffer_size, c.num_envs, self.state_dim, self.num_actions, c.device)

    def batches(self, memory: Replay, generator: torch.Generator) -> Iterator[Batch]:
        """Draw an epoch's batches, Algorithm 1, lines 9 and 10: none until the buffer holds one."""
        c = self.config
        for _ in range(c.updates_per_epoch if len(memory) >= c.batch_size else 0):
            yield memory.sample(c.batch_size, c.n_step, c.gamma, generator)

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
