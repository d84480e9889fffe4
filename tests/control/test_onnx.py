"""An exported agent decides as in torch and without torch; a file that is none is refused in one line."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from lines import FLOW, GOOD, REPORT, encoded

from edgediff.config import LearnerConfig, RunConfig, Settings, WorldConfig
from edgediff.control import __main__ as control
from edgediff.control.controller import Controller
from edgediff.control.onnx_agent import FORMAT, OnnxAgent, with_digest
from edgediff.errors import NonFiniteError
from edgediff.learner.agents import AGENTS
from edgediff.learner.sac import SAC
from edgediff.run.start import load_run
from edgediff.run.weights import new_agent, restore_agent, write_weights
from edgediff.world.simulator import Simulator
from edgediff.world.state import state_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from edgediff import export  # noqa: E402

pytestmark = pytest.mark.slow

WORLD = WorldConfig(load=2.0, num_slots=40)
CRITICS = {"mlp": "values", "shared": "priced"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export an agent with drawn weights, each network with its own, once; return its run and the file."""
    folder = tmp_path_factory.mktemp("exported")

    def _exported(agent="d2sac", network="shared"):
        run, path = folder / f"{agent}-{network}", folder / f"{agent}-{network}.onnx"
        if not path.exists():
            learner = LearnerConfig(agent, network, CRITICS[network], hidden=16, d2sac_denoising_steps=3)
            settings = Settings(WORLD, learner, RunConfig(eval_draws=4))
            drawn = enumerate(new_agent(settings, 5).weights().items())  # an average is not what it is the average of
            other = {net: {name: w * (1 + k / 10) for name, w in of.items()} for k, (net, of) in drawn}
            run.mkdir()
            write_weights(run / "last.pt", settings, "", 0, other)
            export.export(run, path)
        return run, path

    return _exported


@pytest.fixture
def file(exported, tmp_path):
    """Write a file into an empty folder, a.onnx: bytes, or the exported agent with other metadata, or another graph."""

    def _file(content=None, graph=None, **metadata):
        if content is None:
            model = graph or onnx.load(exported()[1])
            onnx.helper.set_model_props(model, {each.key: each.value for each in model.metadata_props} | metadata)
            content = with_digest(model.SerializeToString())
        (tmp_path / "a.onnx").write_bytes(content)
        return "a.onnx"

    return _file


class NoiseOfTorch:
    """The stream of an evaluation, for one that asks as NumPy does."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)
        self.get_state, self.set_state = self.generator.get_state, self.generator.set_state

    def standard_normal(self, shape, dtype):
        return torch.randn(shape, generator=self.generator).numpy()


def states(world, network, rng):
    """Return states of a busy network, (100, S)."""
    simulator = Simulator(world, 10, state_of_view=state_of(network))
    found = [simulator.reset(1)]
    found += [simulator.step(rng.integers(world.num_actions, size=10))[0] for _ in range(9)]
    return np.concatenate(found)


# As in torch


@pytest.mark.parametrize("network, sizes", [("mlp", (8,)), ("shared", (4, 8, 64))])
@pytest.mark.parametrize("agent", AGENTS)
def test_one_file_decides_as_torch_does_for_every_number_of_gateways(exported, agent, network, sizes, rng):
    run, path = exported(agent, network)
    settings, _, _, trained = load_run(run)
    session = Controller.load(path).scheduler.session
    for gateways in sizes:
        resized = settings._replace(world=replace(WORLD, num_gateways=gateways))
        mine, theirs = OnnxAgent(session, resized), restore_agent(trained.weights(), resized)
        assert mine.modes == theirs.MODES
        for mode in {mine.modes[0], "argmax"}:
            given, noise = states(resized.world, network, rng), NoiseOfTorch()
            action, pi = mine.act_with_probabilities(given, noise, mode, 4)
            _, wanted = theirs.act_with_probabilities(given, noise.generator.manual_seed(0), mode, 4)
            values = theirs.target_q(torch.as_tensor(given)).detach().numpy() if agent == "dqn" else wanted
            chosen = np.take_along_axis(values, action[:, None], axis=1)[:, 0]
            assert (values.max(axis=1) - chosen <= 1e-5).all()
            if agent == "dqn":  # all of its probability is on one of the best actions, which may be equal
                wanted = np.eye(wanted.shape[1])[action]
            assert pi.shape == wanted.shape and np.abs(pi - wanted).max() <= 1e-5


@pytest.mark.parametrize("mode", ["mean", "argmax"])
def test_with_equal_noise_the_controller_of_a_file_is_that_of_its_run(exported, mode):
    controllers = [Controller.load(name, mode=mode, eval_draws=3) for name in exported()]
    controllers[1].generator = NoiseOfTorch()
    for count in (8, 4, 64):
        report = {"capacity_bps": [9e7] * count, "available_bps": [*np.linspace(1e7, 8e7, count)],
                  "backlog_bits": [2e6] * count, "available_tflops": 2000.0, "load": 1.5}  # fmt: skip
        for theirs, mine in zip(*(each.decide_slot(report, [FLOW] * 20) for each in controllers), strict=True):
            assert mine[:7] == theirs[:7] and mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)


def test_sampling_takes_actions_as_often_as_the_probabilities_say(exported, rng):
    agent = Controller.load(exported("sac")[1]).scheduler
    state = states(WORLD, "shared", rng)[-1:].repeat(20_000, axis=0)
    action, pi = agent.act_with_probabilities(state, agent.evaluation_stream(), "sample", 1)
    share = np.bincount(action, minlength=pi.shape[1]) / len(action)
    assert (np.abs(share - pi[0]) < 5 * np.sqrt(pi[0] / len(action))).all()


@pytest.mark.parametrize("agent", AGENTS)
def test_what_is_not_finite_is_refused_and_its_noise_given_back(exported, agent, monkeypatch):
    controller = Controller.load(exported(agent)[1])
    noise, right, calls = controller.generator.get_state(), controller.state_of_view, []

    def too_large_in_the_second(world, view):
        calls.append(np.float32(1e38 if len(calls) == 1 else 1))
        return right(world, view) * calls[-1]

    monkeypatch.setattr(controller, "state_of_view", too_large_in_the_second)
    with np.errstate(over="ignore"), pytest.raises(NonFiniteError, match="action probabilities: not finite"):
        controller.decide_slot(REPORT, [FLOW] * 3)
    assert len(calls) == 2 and noise == controller.generator.get_state()
    controller.decide(REPORT, FLOW)
    assert (noise != controller.generator.get_state()) == (agent == "d2sac")


# Without torch


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["onnx"] = sys.modules["onnxscript"] = None
from edgediff.control.__main__ import main, run_program
sys.exit(run_program("edgediff.control", main))
"""


@pytest.mark.parametrize("network", CRITICS)
def test_the_program_needs_no_torch(exported, network):
    _, path = exported(network=network)
    failed = {name: values[:4] for name, values in REPORT.items() if name != "available_tflops"}
    lines = [GOOD, GOOD, GOOD | failed | {"capacity_bps": [1e8] * 4}][: 3 if network == "shared" else 2]
    words = [sys.executable, "-c", WITHOUT_TORCH, str(path), "--eval-draws", "2", "--probabilities"]
    done = subprocess.run(words, input=encoded(*lines), capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr.count(b"\n") == 1, done.stderr
    controller = Controller.load(path, eval_draws=2)
    for line, text in zip(lines, done.stdout.splitlines(), strict=True):
        answer, report = json.loads(text), {name: value for name, value in line.items() if name != "flow"}
        wanted = controller.decide(report, FLOW)
        assert (answer["gateway"], answer["level"], answer["rate_bps"]) == (
            wanted.gateway,
            wanted.level,
            wanted.rate_bps,
        )
        assert np.array(answer["probabilities"]) == pytest.approx(wanted.probabilities, abs=1e-5)


def test_the_file_holds_the_settings(exported):
    settings, _, _, _ = load_run(exported()[0])
    assert Controller.load(exported()[1]).settings == settings
    assert Controller.load(exported()[1], load=3, eval_draws=2).settings.run.eval_draws == 2
    metadata = {each.key: each.value for each in onnx.load(exported()[1]).metadata_props}
    assert metadata["edgediff_format"] == str(FORMAT) and metadata["edgediff"] == export.__version__


# Mistakes


def other_graph():
    """Return the graph of another program."""
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("state", "y")]
    node = onnx.helper.make_node("Identity", ["state"], ["y"])
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(content=b""), "is no ONNX file that can be used"),
        (dict(content=b"hello\n" * 100), "is no ONNX file that can be used"),
        (dict(graph=other_graph()), "is an ONNX file of another program"),
        (dict(edgediff_format=str(FORMAT + 1)), f"has format {FORMAT + 1}; this program reads format {FORMAT}"),
        (dict(settings="{"), "holds settings that are not allowed"),
        (dict(settings='{"world": {"bright": 1}}'), "holds settings that are not allowed"),
        (dict(settings='{"world": 3}'), "holds settings that are not allowed"),
        (dict(graph=other_graph(), edgediff_format=str(FORMAT)), "holds settings that are not allowed"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(file, refused, given, message):
    refused(control, f"run: a.onnx {message}", file(**given))


def test_a_graph_that_is_not_what_its_settings_say_is_refused(exported, file, refused):
    settings = json.dumps(Controller.load(exported()[1]).settings.as_dict())
    refused(control, "a.onnx is unusable", file(graph=other_graph(), settings=settings, edgediff_format=str(FORMAT)))
    refused(control, "is no ONNX file that can be used", file(exported()[1].read_bytes()[:-3000]))


def test_a_flipped_bit_of_a_weight_is_found(exported, file, refused):
    """Any runtime reads the file, and finds nothing wrong."""
    content, model = exported()[1].read_bytes(), onnx.load(exported()[1])
    weights = max((each.raw_data for each in model.graph.initializer), key=len)
    at = content.index(weights) + 2
    flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    onnx.checker.check_model(onnx.load_from_string(flipped))
    refused(control, "a.onnx is damaged (its SHA-256 does not match)", file(flipped))
    refused(control, "a.onnx is damaged", file(content[:-35]))


@pytest.mark.parametrize(
    "agent, network, flags, message",
    [
        ("d2sac", "shared", ["--weights", "best"], "weights: best is given to"),
        ("d2sac", "shared", ["--device", "cuda"], "device: cuda is not cpu"),
        ("d2sac", "shared", ["--threads", 0], "threads: 0"),
        ("sac", "shared", ["--mode", "mean"], "mode: 'mean' is not one of argmax, sample"),
        ("d2sac", "mlp", ["--num-gateways", 4], "num_gateways: 4 is not 8"),
    ],
)
def test_a_flag_that_does_not_fit_a_file_is_refused(exported, refused, agent, network, flags, message):
    refused(control, message, exported(agent, network)[1], *flags)


@pytest.mark.parametrize(
    "argv, message",
    [
        (["none", "a.onnx"], "run: none"),
        (["RUN", "a.pt"], "file: a.pt does not end in .onnx"),
        (["RUN", "none/a.onnx"], "none/a.onnx cannot be written"),
        (["RUN", "a.onnx", "--weights", "first"], "weights: 'first'"),
        (["RUN"], "FILE"),
    ],
)
def test_what_cannot_be_written_is_refused(exported, refused, argv, message):
    refused(export, message, *(exported("sac", "mlp")[0] if word == "RUN" else word for word in argv))


@pytest.mark.parametrize("wrong", ["noise", "number", "nan"])
def test_an_agent_that_cannot_be_exported_says_why(exported, refused, monkeypatch, wrong):
    run, right = exported("sac", "mlp")[0], SAC.evaluation_policy

    def policy(self, state, generator):
        pi = right(self, state, generator)
        if wrong == "noise":
            return pi * torch.rand(pi.shape, generator=generator)
        if wrong == "number":
            return pi if pi.sum() > 0 else 1 - pi
        return pi * float("nan")

    monkeypatch.setattr(SAC, "evaluation_policy", policy)
    refused(export, "agent: sac cannot be exported (", run, "a.onnx")


def test_a_missing_extra_is_named(exported, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(control, 'onnxruntime is not installed: pip install -e ".[onnx]"', exported()[1])
    code = "import sys; sys.modules['onnx'] = None; import edgediff.export"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr == 'onnx is not installed: pip install -e ".[onnx]"\n'


def test_a_foreign_file_is_not_written_over(exported, refused, tmp_path):
    run, path = exported()
    (tmp_path / "mine.onnx").write_text("precious")
    refused(export, "mine.onnx is there and is no exported agent; give another one", run, tmp_path / "mine.onnx")
    before = path.read_bytes()
    export.export(run, path)
    assert path.read_bytes() == before
