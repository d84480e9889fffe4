"""d2sac in one file: short, alone, and with the bits of the package."""

import ast
import importlib.util

import numpy as np
import pytest
import torch

from edgediff.config import LearnerConfig
from edgediff.learner.d2sac import D2SAC
from edgediff.run.process import run_program
from experiments.single_file import main, single_file

SMALL = dict(hidden=16, num_envs=5, batch_size=16, buffer_size=40, updates_per_epoch=3, d2sac_denoising_steps=4)
SMALL |= dict(actor_lr=1e-2, critic_lr=2e-2, weight_decay=0.1, n_step=2, d2sac_confidence=0.8, d2sac_beta_max=8.0)


@pytest.fixture
def pasted(tmp_path):
    assert main([str(tmp_path / "pasted.py")]) == 0
    found = importlib.util.spec_from_file_location("pasted", tmp_path / "pasted.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_file_is_short_and_needs_nothing_of_the_package():
    text = single_file()
    assert text.count("\n") <= 350 and max(map(len, text.splitlines())) <= 120
    nodes = list(ast.walk(ast.parse(text)))
    modules = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    own = {"copy", "math", "collections", "dataclasses", "functools", "typing"}
    assert {name.split(".")[0] for name in modules} == own | {"numpy", "torch", "gymnasium"}


def test_its_bits_are_those_of_the_package(pasted):
    """Over 12 steps, which write over the memory's oldest rows and end some episodes, with updates between."""
    agents = pasted.D2SAC(3, 4, pasted.Config(**SMALL), 7), D2SAC(3, 4, LearnerConfig(**SMALL), 7)
    memories, rng = [agent.memory() for agent in agents], np.random.default_rng(0)
    streams, state, updates = [torch.Generator().manual_seed(1) for _ in agents], rng.normal(size=(5, 3)), 0
    for _ in range(12):
        actions = [agent.explore(state) for agent in agents]
        assert np.array_equal(*actions)
        following, reward, (terminated, truncated) = (
            rng.normal(size=(5, 3)),
            rng.normal(size=5),
            rng.random((2, 5)) < 0.2,
        )
        for memory in memories:
            memory.add(state, actions[0], reward, following, terminated, truncated)
        state = np.where((terminated | truncated)[:, None], rng.normal(size=(5, 3)), following)
        for batches in zip(*map(lambda a, *given: a.batches(*given), agents, memories, streams), strict=True):
            one, two = (agent.update(batch) for agent, batch in zip(agents, batches, strict=True))
            assert list(one) == list(two) and all(torch.equal(one[name], two[name]) for name in one)
            updates += 1
    for name in ("actor", "critics", "target_actor", "target_critics"):
        for one, two in zip(*(getattr(agent, name).parameters() for agent in agents), strict=True):
            assert torch.equal(one, two)
    assert updates > 20 and np.array_equal(*(agent.act(state, 3) for agent in agents))


@pytest.mark.slow
def test_its_loop_runs(capsys):
    pytest.importorskip("gymnasium")
    exec(single_file().replace("epochs=1000", "epochs=25, updates_per_epoch=1"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("epoch 25: ")


def test_a_file_that_exists_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("mine")
    assert run_program("single_file", main, [str(path)]) == 2 and path.read_text() == "mine"
    assert capsys.readouterr().err == f"single_file: file: {path} exists, and is left as it is\n"
