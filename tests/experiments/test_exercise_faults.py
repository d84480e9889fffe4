"""No hole in an exercise: faults of five kinds, made from the package's own functions, are found and named."""

import functools
import inspect
import itertools
from pkgutil import resolve_name

import numpy as np
import pytest
import torch

from experiments.exercises.judge import UNKNOWN, exercise, judge
from experiments.exercises.sheet import EXERCISES

ARRAYS = np.ndarray, torch.Tensor
ALIKE = {  # arguments that a function does not tell apart
    "total_delay": {"transmission_s", "queueing_s", "processing_s", "propagation_s"},
    "reward": {"phi", "penalty"},
    "state_value": {"pi", "q"},
    "td_target": {"discount", "next_value"},
    "critic_loss": {"q1", "q2"},
    "diffusion_loss": {"eps", "eps_theta"},
}
IN_PLACE = {"polyak", "reserve"}  # their purpose
STRUCTURES = {"schedule", "target", "online", "where", "batch"}  # not one array
NO_GRADIENT = {"td_target", "clean_latent", "polyak", "n_step_return", "variance_schedule", "update"}  # of data


def nothing(value):
    """Return zeros of the same form."""
    return value * 0 if isinstance(value, ARRAYS) else type(value)(0)


def each(change, value):
    """Change every array of a result."""
    if isinstance(value, dict):
        return {name: change(part) for name, part in value.items()}
    if isinstance(value, tuple):
        parts = [each(change, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return change(value)


def column(value):
    return value[..., None] if isinstance(value, ARRAYS) else np.asarray(value)[..., None]


def faulty(right, before=lambda given: None, change=lambda result: result, after=lambda given: None):
    """Return the package's function with a fault: in its arguments, its result, or what it leaves behind."""
    signature = inspect.signature(right)

    @functools.wraps(right)
    def function(*args, **named):
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        before(bound.arguments)
        result = change(right(*bound.args, **bound.kwargs))
        after(bound.arguments)
        return result

    return function


def unused(name, first=None):
    """Put nothing in the place of an argument, or what it was in the first call of this shape."""

    def before(given):
        value = given[name]
        given[name] = nothing(value) if first is None else first.setdefault(np.shape(value), value)

    return before


def exchanged(one, two):
    def before(given):
        given[one], given[two] = given[two], given[one]

    return before


def spoilt(name):
    """Change all arrays of an argument."""

    def after(given):
        with torch.no_grad():
            for part in given[name] if isinstance(given[name], tuple) else [given[name]]:
                if isinstance(part, ARRAYS):
                    part[...] = ~part if "bool" in str(part.dtype) else part + 1

    return after


def faults(right):
    """Yield (kind, function) for a function of the package."""
    hints = {name: each.annotation for name, each in inspect.signature(right).parameters.items() if name != "self"}
    hints = {name: hint for name, hint in hints.items() if "Callable" not in str(hint)}
    data = [name for name in hints if name not in STRUCTURES]
    for name in data:
        yield f"{name} unused, 0", faulty(right, unused(name))
        yield f"{name} unused, as at first", faulty(right, unused(name, {}))
    for one, two in itertools.combinations(data, 2):
        if hints[one] == hints[two] and not {one, two} <= ALIKE.get(right.__name__, set()):
            yield f"{one} and {two} exchanged", faulty(right, exchanged(one, two))
    if right.__name__ not in IN_PLACE:
        yield "a wrong shape", faulty(right, change=lambda result: each(column, result))
        for name in hints:
            if hints[name] not in (float, int):
                yield f"{name} changed in place", faulty(right, after=spoilt(name))
    if "learner" in right.__module__ and right.__name__ not in NO_GRADIENT:
        yield "the gradient cut", faulty(right, change=torch.Tensor.detach)


FUNCTIONS = [(one.name, name) for one in EXERCISES for name in one.functions]


@pytest.mark.slow
@pytest.mark.parametrize("exercise_name, name", FUNCTIONS, ids=range(len(FUNCTIONS)))
def test_every_fault_is_found_and_named(exercise_name, name):
    """A fault may stop the function itself; then its line is told."""
    kinds = [*faults(resolve_name(f"edgediff.{name}"))]
    assert kinds
    for kind, function in kinds:
        why = judge({f"edgediff.{name}": function}, exercise(exercise_name).select)[1]
        print(f"{exercise_name:13} {name:40} {kind:45} {why.splitlines()[0] if why else ''}")
        assert why, f"{kind}: not found"
        assert why.count("\n") <= 20 and UNKNOWN not in why, f"{kind}: {why}"
        assert "does not hold" not in why and "does not fit" not in why, f"{kind}: {why}"
