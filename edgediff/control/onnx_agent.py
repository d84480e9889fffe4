"""An agent without torch: the file that `python -m edgediff.export` writes, run by onnxruntime, extra `onnx`.

The file holds the policy of a run and its settings. What is here is what the controller asks of an agent.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from edgediff.config import CONFIGS, RunConfig, Settings
from edgediff.errors import ConfigError, NonFiniteError, first_line
from edgediff.world.state import state_dim

FORMAT = 1  # of the file: another one if the metadata change, or what goes in and comes out of the graph, as the state

DIGEST = b"\xc2\x3e\x20"  # before the digest: field 1000 of the message, of 32 bytes


class Stream(np.random.Generator):
    """A stream of noise that can be taken back, with the names of torch."""

    def get_state(self) -> Any:
        """Return where the stream is."""
        return self.bit_generator.state

    def set_state(self, state: Any) -> None:
        """Go back to where the stream was."""
        self.bit_generator.state = state


class OnnxAgent:
    """The policy of a graph in a world. The graph of a shared network is the same for every number of gateways."""

    def __init__(self, session: Any, settings: Settings):
        self.session, self.config, self.num_actions = session, settings.learner, settings.world.num_actions
        self.steps = next((given.shape[0] for given in session.get_inputs() if given.name == "noise"), 0)
        self.modes = ("mean", "argmax", "sample") if self.steps else ("argmax", "sample")

    def checked_mode(self, mode: str) -> str:
        """Return a way of deciding that the agent knows, its first one for ""; `ConfigError` at another."""
        if mode and mode not in self.modes:
            raise ConfigError(f"mode: {mode!r} is not one of {', '.join(self.modes)}")
        return mode or self.modes[0]

    @staticmethod
    def evaluation_stream() -> Stream:
        """Return the random stream that every controller starts with, of NumPy: torch would draw other numbers."""
        return Stream(np.random.PCG64(0))

    def act(self, state: np.ndarray, stream: Stream, mode: str, draws: int) -> np.ndarray:
        """Choose actions (E,) for states (E, S)."""
        return self.act_with_probabilities(state, stream, mode, draws)[0]

    def act_with_probabilities(
        self, state: np.ndarray, stream: Stream, mode: str, draws: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose actions (E,) for states (E, S), and return their probabilities (E, A), as an agent of torch does."""
        draws = draws if mode == "mean" else 1
        given = {"state": np.tile(state, (draws, 1))}
        if self.steps:
            given["noise"] = stream.standard_normal((self.steps, len(given["state"]), self.num_actions), np.float32)
        (pi,) = self.session.run(None, given)
        pi = pi.reshape(draws, len(state), self.num_actions).mean(axis=0)
        if not np.isfinite(pi).all():
            raise NonFiniteError("action probabilities: not finite")
        if mode != "sample":
            return pi.argmax(axis=1), pi
        below = pi.cumsum(axis=1)
        return (stream.random((len(pi), 1)) * below[:, -1:] < below).argmax(axis=1), pi


def load_onnx(path: str | Path, weights: str, given: dict[str, dict]) -> tuple[OnnxAgent, Settings]:
    """Read a file of `edgediff.export`; `given` changes its settings. `ConfigError` if the file or one is unusable."""
    if weights != "last":
        raise ConfigError(f"weights: {weights} is given to {path}, which holds those that were exported")
    threads = RunConfig(**given["run"]).threads
    try:
        content = Path(path).read_bytes()
        session = open_session(content, threads)
    except ModuleNotFoundError as missing:
        raise ConfigError(f'{missing.name} is not installed: pip install -e ".[onnx]"') from None
    except Exception as error:  # onnxruntime can fail in any way on a file that it cannot read
        raise ConfigError(f"run: {path} is no ONNX file that can be used ({first_line(error)})") from None
    stored = stored_settings(path, session)
    if content != with_digest(content[: -len(DIGEST) - 32]):
        raise ConfigError(f"run: {path} is damaged (its SHA-256 does not match)")
    settings = stored.changed(given)
    if settings.run.device != "cpu":
        raise ConfigError(f"device: {settings.run.device} is not cpu, where an ONNX file decides")
    gateways, known = settings.world.num_gateways, stored.world.num_gateways
    if gateways != known and stored.learner.network == "mlp":
        raise ConfigError(f"num_gateways: {gateways} is not {known}, as in {path}, whose network is mlp")
    agent = OnnxAgent(session, settings)
    state = np.zeros((1, state_dim(settings.world, settings.learner.network)), np.float32)
    try:
        agent.act_with_probabilities(state, agent.evaluation_stream(), "argmax", 1)
    except Exception as error:  # the graph is not what the settings say
        raise ConfigError(f"run: {path} is unusable ({first_line(error)})") from None
    return agent, settings


def with_digest(graph: bytes) -> bytes:
    """Return a graph with its SHA-256 behind it, as an entry that readers of the format do not know and leave out."""
    return graph + DIGEST + hashlib.sha256(graph).digest()


def open_session(graph: bytes, threads: int = 1) -> Any:
    """Return what runs a graph, with a number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4  # an error is raised, and said once
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def stored_settings(path: str | Path, session: Any) -> Settings:
    """Return the settings in a file; one that is newer than the file has its default."""
    metadata = session.get_modelmeta().custom_metadata_map
    if (version := metadata.get("edgediff_format")) is None:
        raise ConfigError(
            f"run: {path} is an ONNX file of another program; python -m edgediff.export writes those of runs"
        )
    if version != str(FORMAT):
        raise ConfigError(f"run: {path} has format {version:.20}; this program reads format {FORMAT}")
    try:
        stored = json.loads(metadata["settings"])
        return Settings(*(config_class(**stored[name]) for name, config_class in CONFIGS.items()))
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"run: {path} holds settings that are not allowed: {first_line(error)}") from None
