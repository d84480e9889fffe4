"""Write d2sac in one file, for those who paste: `python -m experiments.single_file FILE`.

The file is made of the package's own sources, without checks, and of the first loop in edgediff/learner/README.md. It
needs torch, NumPy and, for the loop, Gymnasium. Its bits are those of the package.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from edgediff import __version__
from edgediff.config import LearnerConfig
from edgediff.learner import agent, diffusion, embedding, losses, networks, nstep, replay, shared
from edgediff.learner.agent import Agent
from edgediff.learner.d2sac import D2SAC
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from experiments import ROOT
from experiments.own_file import write_new

HEAD = '''"""D2SAC, a soft actor-critic whose actor is a diffusion chain, in one file.

The numbers are those of H. Jiang et al., "A Diffusion-based DRL Flow Scheduling for AIGC Services in Edge Network".
Written by `python -m experiments.single_file` of edgediff {version}, which has derivations, checks and tests beside it.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

TIME_DIM = {time_dim}
'''
ADD = """
    def add(self, state, action, reward, next_state, terminated, truncated) -> None:
        columns = self.state, self.action, self.reward, self.next_state, self.terminated, self.ended
        values = state, action, reward, next_state, terminated, terminated | truncated
        for column, value in zip(columns, values, strict=True):
            column[self.next_row] = torch.as_tensor(value)
        self.next_row, self.num_rows = (self.next_row + 1) % self.rows, min(self.num_rows + 1, self.rows)
"""
AGENT = """class D2SAC:
    def __init__(self, state_dim: int, num_actions: int, config: Config, seed: int = 0, device: str = "cpu"):
        self.state_dim, self.num_actions, self.config, self.device, c = state_dim, num_actions, config, device, config
        init, act, learn = (int(s) for s in np.random.SeedSequence(seed).generate_state(3, np.uint64))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(init)
            self.actor = NoiseNetwork(state_dim, num_actions, c.hidden, c.d2sac_denoising_steps).to(device)
            self.critics = TwinCritics(*(mlp(state_dim, c.hidden, num_actions) for _ in range(2))).to(device)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        parts = ("actor", self.actor, c.actor_lr), ("critics", self.critics, c.critic_lr)
        adam = partial(torch.optim.Adam, weight_decay=c.weight_decay, fused=True)
        self.optimisers = {name: adam(network.parameters(), rate) for name, network, rate in parts}
        self.schedule = variance_schedule(c.d2sac_denoising_steps, c.d2sac_beta_min, c.d2sac_beta_max)
        self.alpha_bar = self.schedule.alpha_bar.float().to(device)
        self.act_stream = torch.Generator(device).manual_seed(act)
        self.learn_stream = torch.Generator(device).manual_seed(learn)

    @torch.inference_mode()
    def explore(self, observation: np.ndarray) -> np.ndarray:
        state = torch.as_tensor(observation).to(self.device, torch.float32)
        pi = self.training_policy(state, self.act_stream)
        return torch.multinomial(pi, 1, generator=self.act_stream)[:, 0].cpu().numpy()

    @torch.inference_mode()
    def act(self, observation: np.ndarray, seed: int = 0, draws: int = 8) -> np.ndarray:
        state = torch.as_tensor(observation).to(self.device, torch.float32).repeat(draws, 1)
        pi = self.evaluation_policy(state, torch.Generator(self.device).manual_seed(seed))
        return pi.view(draws, -1, self.num_actions).mean(dim=0).argmax(dim=1).cpu().numpy()
"""
BEFORE = (
    diffusion.Schedule, diffusion.variance_schedule, diffusion.forward_marginal, diffusion.reverse_mean,
    diffusion.reverse_step, diffusion.denoise, diffusion.log_policy,
    embedding.sinusoidal_embedding, embedding.StepEmbedding, shared.trunk, networks.mlp, networks.NoiseNetwork,
    networks.TwinCritics,
    losses.state_value, losses.td_target, losses.critic_loss, losses.entropy, losses.actor_objective,
    losses.clean_latent, losses.diffusion_loss, losses.polyak,
    nstep.n_step_return, replay.Batch,
)  # fmt: skip
AFTER = agent.gradient_step, agent.parameters, agent.detached
OF_AGENT = (
    D2SAC.draw_noise, D2SAC.log_policy, D2SAC.training_policy, D2SAC.evaluation_policy, Agent.memory, Agent.batches,
    D2SAC.update,
)  # fmt: skip
OF_REPLAY = replay.Replay.__init__, replay.Replay.__len__, replay.Replay.sample, replay.Replay.gather
OTHERS = "agent", "network", "critic"  # settings without a prefix that only other agents and networks need
RIVALS = "sac_", "dqn_", "ppo_"


def single_file() -> str:
    """Return the text of the file."""
    head = HEAD.format(version=__version__, time_dim=embedding.TIME_DIM)
    memory, learner = "class Replay:\n" + methods(OF_REPLAY) + ADD, f"{AGENT}\n{methods(OF_AGENT)}"
    parts = [head, config(), *map(source, BEFORE), memory, *map(source, AFTER), learner, loop()]
    text = "\n".join(parts).replace("log_policy_to_act", "log_policy").replace("self.clean_latent", "clean_latent")
    text = text.replace("self.capacity(self.config)", "self.config.buffer_size")
    text = re.sub(r"(:|\"\"\")\n\n(?= )", r"\1\n", text.replace(" | SharedNoiseNetwork", ""))
    return re.sub(r"\n\n(?=        )", "\n", text)


def source(part: Callable) -> str:
    """Return the source of a function or a class, at the margin; of docstrings, the first lines with an equation."""
    text = textwrap.dedent(inspect.getsource(part))
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (doc := ast.get_docstring(node)):
            place, first = node.body[0], f'"""{doc.splitlines()[0]}"""\n'
            shown = " " * place.col_offset + first if "Eq" in first or "Algorithm 1, lines 11" in first else ""
            lines[place.lineno - 1 : place.end_lineno] = [shown] + [""] * (place.end_lineno - place.lineno)
    return "".join(line for line in lines if not line.startswith("    _same_shape("))


def methods(given: Sequence[Callable]) -> str:
    """Return the sources of methods, inside of a class."""
    return "\n".join(textwrap.indent(source(method), "    ", lambda line: line != "\n") for method in given)


def config() -> str:
    """Return the settings that d2sac with its networks of Table 1 has, as a class."""
    own = [f for f in fields(LearnerConfig) if f.name not in OTHERS and not f.name.startswith(RIVALS)]
    lines = [f"    {f.name}: {f.type.__name__} = {f.default!r}  # {f.metadata['text']}\n" for f in own]
    return "@dataclass\nclass Config:\n" + "".join(lines)


def loop() -> str:
    """Return the loop of the learner's README on CartPole, as a program."""
    block = re.search(r"```python\n(.*?)```", ROOT.joinpath("edgediff/learner/README.md").read_text(), re.DOTALL)
    imports, rest = block[1].split("\n\n", 1)
    rest = rest.replace("LearnerConfig(", "Config(").replace('agent="d2sac", ', "").replace("build_agent(", "D2SAC(")
    foreign = [line for line in imports.splitlines() if "gymnasium" in line]
    return 'if __name__ == "__main__":\n' + textwrap.indent("\n".join([*foreign, rest]), "    ")


def main(argv: list[str]) -> int:
    """Write d2sac in one file."""
    parser = Parser("python -m experiments.single_file FILE", main.__doc__)
    parser.add_argument("file", metavar="FILE", help="a new file")
    write_new(Path(parser.parse(argv).file), single_file())
    return 0


if __name__ == "__main__":
    sys.exit(run_program("single_file", main))
