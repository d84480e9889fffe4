"""CUDA graphs: on a GPU, the kernels of a function are captured once and then launched together.

One update of D2SAC is some hundred small kernels, and Python needs longer to launch them than the GPU to run them. What
is captured must do the same for all tensors of the same shapes: no `.item()`, no branch on a value, no count kept in
Python, and random numbers only from the generators that are named.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Update = Callable[[Any], dict[str, Tensor]]  # from a batch to metrics
WARM_UPS = 3  # ordinary calls before a capture, in which libraries and optimisers make what they keep


class Captured:
    """A function with a tensor as its result, of tensors and of arguments that can be keys of a dictionary.

    There is one graph for every set of shapes and other arguments. A graph has its own tensors for what goes in and
    what comes out, which every call copies. Weights and optimisers are read and changed where they are.
    """

    def __init__(self, function: Callable[..., Tensor], device: str = "cuda", *generators: torch.Generator):
        self.function, self.generators, self.stream = function, generators, torch.cuda.Stream(device)
        self.calls: Counter = Counter()
        self.graphs: dict[tuple, tuple[torch.cuda.CUDAGraph, list[Any], Tensor]] = {}

    def __call__(self, *arguments: Any) -> Tensor:
        """Call the function, or launch its graph."""
        key = tuple(x.shape if isinstance(x, Tensor) else x for x in arguments)
        if key not in self.graphs:
            self.calls[key] += 1
            if self.calls[key] <= WARM_UPS:
                return self.warm_up(*arguments)
            self.graphs[key] = self.capture(*arguments)
        graph, inputs, output = self.graphs[key]
        for place, value in zip(inputs, arguments, strict=True):
            if isinstance(value, Tensor):
                place.copy_(value)
        graph.replay()
        return output.clone()

    def warm_up(self, *arguments: Any) -> Tensor:
        """Call the function on the stream that will be captured."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            output = self.function(*arguments)
        current.wait_stream(self.stream)
        return output

    def capture(self, *arguments: Any) -> tuple[torch.cuda.CUDAGraph, list[Any], Tensor]:
        """Capture the function, which computes nothing; return the graph, its arguments and its result."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        inputs = [x.clone() if isinstance(x, Tensor) else x for x in arguments]
        with torch.cuda.graph(graph, stream=self.stream):
            output = self.function(*inputs)
        return graph, inputs, output


def captured_update(update: Update, optimisers: Sequence[torch.optim.Optimizer], stream: torch.Generator) -> Update:
    """Return the update of an agent, captured; it draws from `stream` alone; batches are named tuples of tensors."""
    names: list[str] = []

    def stacked(kind: type, *columns: Tensor) -> Tensor:
        """Update on the batch of these columns; return the metrics as one tensor, since a graph has one result."""
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["capturable"] = torch.cuda.is_current_stream_capturing()  # Adam wants to be told
        metrics = update(kind(*columns))
        names[:] = metrics
        return torch.stack(list(metrics.values()))

    captured = Captured(stacked, str(stream.device), stream)
    return lambda batch: dict(zip(names, captured(type(batch), *batch).unbind(), strict=True))
