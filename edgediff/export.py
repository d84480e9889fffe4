"""Write the policy of a run as a file that decides without torch: `python -m edgediff.export RUN FILE.onnx`.

It is the policy that is evaluated, in the format ONNX: probabilities (B, A) of states (B, S) and, for a chain, of its
noise (N, B, A). The file also holds the settings, so a controller needs nothing else.
"""

try:
    import onnx
    import onnxruntime  # noqa: F401  `open_session` uses it
    import onnxscript  # noqa: F401  torch uses it
except ModuleNotFoundError as missing:
    raise SystemExit(f'{missing.name} is not installed: pip install -e ".[onnx]"') from None

import contextlib
import io
import json
import logging
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgediff import __version__
from edgediff.control.controller import NO_LOG
from edgediff.control.onnx_agent import FORMAT, open_session, with_digest
from edgediff.errors import ConfigError, first_line
from edgediff.learner.agent import Agent
from edgediff.learner.d2sac import D2SAC
from edgediff.learner.dqn import DQN
from edgediff.learner.shared import Widths
from edgediff.run.atomic import write_atomically
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program
from edgediff.run.start import load_run
from edgediff.world.state import WIDTHS

TOLERANCE = 1e-3  # of probabilities, far above rounding: a graph that is wrong differs by more


class EvaluatedPolicy(nn.Module):
    """The policy of an agent that is evaluated, of states and, for a chain, of its noise: pi(. | s), (B, A)."""

    def __init__(self, agent: Agent):
        super().__init__()
        self.agent = agent

    def forward(self, state: Tensor, *noise: Tensor) -> Tensor:
        """Compute it in operations of a graph: none looks at a number."""
        agent = self.agent
        if isinstance(agent, D2SAC):
            return agent.log_policy(agent.target_actor, state, *noise).exp()
        if isinstance(agent, DQN):
            q = agent.target_q(state)
            greedy = torch.zeros_like(q).scatter(1, q.argmax(dim=1, keepdim=True), 1.0)
            return greedy + 0 * q  # a q that is not finite makes a NaN, which the controller refuses
        return agent.evaluation_policy(state, agent.evaluation_stream())


def example(agent: Agent, batch: int, gateways: int) -> tuple[Tensor, ...]:
    """Draw what the policy is a function of; an mlp knows its own number of gateways only."""
    widths, steps, generator = Widths(*WIDTHS), agent.config.d2sac_denoising_steps, agent.evaluation_stream()
    entries, actions = agent.state_dim, agent.num_actions
    if agent.config.network == "shared":
        entries, actions = widths.common + widths.item * gateways, widths.levels * gateways
    shapes = [(batch, entries), (steps, batch, actions)][: 1 + isinstance(agent, D2SAC)]
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def graph_of(agent: Agent) -> onnx.ModelProto:
    """Return the policy as a graph, for any number of states and, of a shared network, of gateways."""
    widths, batch, gateways = Widths(*WIDTHS), torch.export.Dim("batch"), torch.export.Dim("gateways")
    state, noise = {0: batch}, {1: batch}
    if agent.config.network == "shared":
        state[1], noise[2] = widths.item * gateways + widths.common, widths.levels * gateways
    given = example(agent, batch=3, gateways=4)  # 0 and 1 would stand for themselves, these for any number
    free = (state, (noise,))[: len(given)]
    program = torch.onnx.export(
        EvaluatedPolicy(agent).eval(),
        given,
        input_names=["state", "noise"][: len(given)],
        output_names=["probabilities"],
        dynamic_shapes=free,
        dynamo=True,
        verbose=False,
    )
    return program.model_proto  # type: ignore[union-attr]


def alike(agent: Agent, graph: bytes) -> np.ndarray:
    """Tell for drawn states of several sizes whether a graph has the probabilities of torch."""
    session, found = open_session(graph), []
    for gateways in (1, 8, 64):
        given = example(agent, 16, gateways)
        with torch.inference_mode():
            wanted = EvaluatedPolicy(agent)(*given).numpy()
        (pi,) = session.run(None, dict(zip(("state", "noise"), map(np.asarray, given), strict=False)))
        found.append((np.abs(pi - wanted) <= TOLERANCE).all(axis=1))
    return np.concatenate(found)


def export(run: str | Path, path: Path, weights: str = "last") -> str:
    """Write the policy and the settings of a run; say in a line what was written."""
    if path.suffix != ".onnx":
        raise ConfigError(f"file: {path} does not end in .onnx")
    if path.exists() and not (path.is_file() and b"edgediff_format" in path.read_bytes()):
        raise ConfigError(f"file: {path} is there and is no exported agent; give another one")
    settings, _, epoch, agent = load_run(run, weights, **NO_LOG, device="cpu", threads=1)
    try:
        with contextlib.redirect_stderr(io.StringIO()), torch.no_grad():  # torch prints pages when it cannot
            graph = graph_of(agent)
        stored = json.dumps(settings.as_dict())
        onnx.helper.set_model_props(
            graph, {"edgediff_format": str(FORMAT), "edgediff": __version__, "settings": stored}
        )
        content = with_digest(graph.SerializeToString())
        same = alike(agent, content)
        if same.mean() < 0.9:  # for dqn, two actions may be equal but for rounding
            raise ValueError(f"its graph has other probabilities on {sum(~same)} of {len(same)} states")
    except Exception as error:  # torch can fail in any way on an agent of another kind
        cause = first_line(error.__cause__ or error)
        raise ConfigError(f"agent: {settings.learner.agent} cannot be exported ({cause})") from None
    write_atomically(path, content)
    checked = f"as in torch to {TOLERANCE:g} on {sum(same)} of {len(same)} drawn states"
    network = f"{settings.learner.agent}, network {settings.learner.network}, epoch {epoch}"
    return f"{path}: {network}, {len(content) / 1e3:.0f} kB; {checked}"


def main(argv: list[str]) -> int:
    """Write the policy of a run as an ONNX file, with which python -m edgediff.control decides without torch."""
    parser = Parser("python -m edgediff.export RUN FILE", main.__doc__)
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("file", metavar="FILE", help="file to write, NAME.onnx")
    parser.add_argument("--weights", metavar="X", default="last", help="which weights of a run: last or best [last]")
    args = parser.parse(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    print(export(args.run, Path(args.file), args.weights))
    return 0


if __name__ == "__main__":
    sys.exit(run_program("edgediff.export", main))
