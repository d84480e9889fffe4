"""Faults of form that any function may have, in words: a wrong shape, an argument changed, a gradient cut, own noise.

`Watched` notes what tests give to a function; `fault` then calls it again, beside the package's own.
"""

import contextlib
import functools
import inspect
import itertools
from collections.abc import Callable

import numpy as np
import torch

ARRAYS = np.ndarray, torch.Tensor
KNOWN = (*ARRAYS, int, float, np.generic, list, tuple)


def copied(value, gradient: bool = False):
    """Copy arrays, also inside of lists and tuples; let copies of floating-point tensors ask for a gradient."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(gradient and value.is_floating_point())
    if isinstance(value, (list, tuple)):
        parts = [copied(part, gradient) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value.copy() if isinstance(value, np.ndarray) else value


def copied_all(given: dict, gradient: bool = False) -> dict:
    """Copy arguments."""
    return {name: copied(value, gradient) for name, value in given.items()}


def tensors(value) -> list[torch.Tensor]:
    """List all numbers and arrays of a value as tensors."""
    if isinstance(value, dict):
        value = [part for part in value.values() if not callable(part)]
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in tensors(part)]
    return [value if isinstance(value, torch.Tensor) else torch.tensor(value)] if value is not None else []


def no_numbers(value) -> str:
    """Say what a result holds in the place of numbers; "" if it holds some."""
    if value is None:
        return "it returns nothing: is `return` missing?"
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
    for part in parts:
        if callable(part) and not isinstance(value, dict):
            return f"it returns a method, {getattr(part, '__name__', part)}: are its () missing?"
        if not callable(part) and not isinstance(part, (*KNOWN, dict)):
            return f"it returns {type(part).__name__} {part!r:.40}, where a number or an array belongs"
    return ""


def same(one, two, rtol: float = 1e-5) -> bool:
    """Tell whether two values hold the same numbers."""
    pairs = [*zip(tensors(one), tensors(two), strict=False)]
    alike = all(a.shape == b.shape and a.is_complex() == b.is_complex() for a, b in pairs)
    return alike and all(torch.allclose(a.double(), b.double(), rtol, 0, True) for a, b in pairs if not a.is_complex())


def moved(value) -> list:
    """Return two other values of the same kind, or none where there is no telling what is allowed."""
    if isinstance(value, (bool, int, list, tuple)) or callable(value):
        return []
    if isinstance(value, ARRAYS) and "bool" in str(value.dtype):
        return [~value]
    return [value * 0.3, value * 1.5 + 0.1] if isinstance(value, float) or "float" in str(value.dtype) else []


def called(function: Callable, given: dict) -> tuple:
    """Return a result, and the arguments as they are afterwards."""
    args = copied_all(given)
    with torch.no_grad():
        result = function(**args)
    return result, args


class Watched:
    """A function of yours beside the package's; `function` takes its place, and notes the first calls of each shape."""

    def __init__(self, right: Callable, yours: Callable):
        self.right, self.yours = right, yours
        self.calls: dict[tuple, dict] = {}
        self.seen, self.last = 0, {}  # how many of them have been looked at; the last call of all
        self.signature = inspect.signature(right)
        self.source = inspect.unwrap(yours).__code__.co_filename

        @functools.wraps(yours)
        def function(*args, **named):
            self._note(args, named)
            return yours(*args, **named)

        self.function = function

    def _note(self, args, named) -> None:
        """Keep a copy of the arguments, unless one of them is an agent or the like."""
        given = self.signature.bind(*args, **named)
        given.apply_defaults()
        # A noise network is replaced, so that a test may count how often its own was asked.
        plain = {k: (lambda a, *_: a / 2) if callable(v) else v for k, v in given.arguments.items()}
        if "self" in plain or not all(callable(v) or isinstance(v, KNOWN) for v in plain.values()):
            return
        shapes = tuple(tuple(tensor.shape) for v in plain.values() if not callable(v) for tensor in tensors(v))
        self.last = copied_all(plain)
        if len(self.calls) < 4:
            self.calls.setdefault(shapes, self.last)

    def fault(self, failed: bool) -> str:
        """Return what is wrong with the form of the new calls, or, where a test has failed, with an argument of any."""
        calls = [*self.calls.values()][0 if failed else self.seen :] + ([self.last] if failed and self.last else [])
        self.seen = len(self.calls)
        return next(filter(None, (self._fault(given, failed) for given in calls)), "")

    def _fault(self, given: dict, failed: bool) -> str:
        expected, after = called(self.right, given)
        try:
            (found, mine), (again, _) = called(self.yours, given), called(self.yours, given)
        except Exception:
            return self._exchanged(given, expected, after)
        for name, value in given.items():
            if not callable(value) and same(value, after[name], 0) and not same(value, mine[name], 0):
                return f"{name} is changed in place: whoever called still needs it"
        if expected is not None and (wrong := no_numbers(found)):
            return wrong
        if len(tensors(found)) != len(tensors(expected)):
            return f"it returns {len(tensors(found))} values, not {len(tensors(expected))}"
        for one, other in zip(tensors(found), tensors(expected), strict=True):
            if one.shape != other.shape:
                return f"shape {tuple(one.shape)} is not {tuple(other.shape)}, as it should be for these arguments"
        if not same(found, again):
            return "two calls with the same arguments differ: the noise is an argument, draw none"
        if failed:
            return self._exchanged(given, expected, after) or self._unused(given) or self._cut(given)
        return self._cut(given) if expected is not None else ""

    def _exchanged(self, given: dict, expected, after: dict) -> str:
        """Find two arguments that are taken for each other, with these values and with others."""
        others = {k: v if callable(v) else (moved(v) or [v])[0] for k, v in given.items()}
        with contextlib.suppress(Exception):
            if same(called(self.yours, given), (expected, after)):
                return ""
        for one, two in itertools.combinations(given, 2):
            with contextlib.suppress(Exception):  # they are unlike each other
                if all(self._same_exchanged(one, two, values) for values in (given, others)):
                    return f"{one} and {two} are exchanged"
        return ""

    def _same_exchanged(self, one: str, two: str, given: dict) -> bool:
        """Tell whether your function gives what is right when two arguments change places."""
        found, mine = called(self.yours, given | {one: given[two], two: given[one]})
        return same((found, mine | {one: mine[two], two: mine[one]}), called(self.right, given))

    def _unused(self, given: dict) -> str:
        """Find an argument that counts for nothing, though it should."""
        for name, value in given.items():
            differ = []
            for other in moved(value):
                with contextlib.suppress(Exception):  # a value that is not allowed
                    pairs = [(called(f, given), called(f, given | {name: other})) for f in (self.right, self.yours)]
                    differ.append([not same((a, {}), (b, {})) for (a, _), (b, _) in pairs])
            if any(right for right, _ in differ) and not any(yours for _, yours in differ):
                return f"the result does not depend on {name}"
        return ""

    def _cut(self, given: dict) -> str:
        """Find a gradient that is missing in a result whose numbers are right."""
        results, gradients = [], []
        for function in (self.right, self.yours):
            leaves = copied_all(given, gradient=True)
            with contextlib.suppress(RuntimeError):  # leaves are not changed in place
                results.append(function(**leaves))
            asked = {k: v for k, v in leaves.items() if isinstance(v, torch.Tensor) and v.requires_grad}
            parts = [each for each in tensors(results[-1] if results else None) if each.requires_grad]
            total = sum(each.sum() for each in parts) if parts else 0 * sum(v.sum() for v in asked.values())
            found = torch.autograd.grad(total, [*asked.values()], allow_unused=True) if asked else ()
            gradients.append(dict(zip(asked, found, strict=True)))
        if len(results) < 2 or not same(*results):
            return ""
        for name, right in gradients[0].items():
            yours = gradients[1][name]
            if right is not None and right.any() and (yours is None or not yours.any()):
                return f"the numbers are right, but no gradient reaches {name}: is something detached, or no_grad()?"
        return ""
