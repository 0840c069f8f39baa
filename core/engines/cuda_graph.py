"""A function on tensors of a GPU, recorded once as a CUDA graph and replayed row by row.

    steps = RecordedGraph(step, (batches, learning_rates))  # records what `step` launches for a row; computes nothing
    losses, logits = steps(batches, learning_rates)         # torch.stack of step(batches[i], learning_rates[i])

A step of a small network launches some hundred kernels, which takes the CPU several times as long as they compute.
The function must read nothing back, keep what it changes where it is, and have been called some times before.
"""

from collections.abc import Callable, Sequence

import torch

# So many rows are put in place at once.
_ROWS = 256


class RecordedGraph:
    """The graph, with its inputs, its outputs and the number of the next row in places that stay."""

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]], inputs: Sequence[torch.Tensor]):
        """Record what `function` does with a row of each of the `inputs`, whose other rows have the same shape."""
        self._inputs = [rows.new_empty((_ROWS, *rows.shape[1:])) for rows in inputs]
        self._row = torch.zeros(1, dtype=torch.int64, device=inputs[0].device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = function(*(rows.index_select(0, self._row)[0] for rows in self._inputs))
            self._row += 1

    def __call__(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """Call the function with each row of the inputs in turn; return its results, stacked."""
        results = []
        for start in range(0, len(inputs[0]), _ROWS):
            given = [rows[start : start + _ROWS] for rows in inputs]
            for place, rows in zip(self._inputs, given, strict=True):
                place[: len(rows)].copy_(rows)
            self._row.zero_()
            for _ in range(len(given[0])):
                self._graph.replay()
                # Not within the graph, whose own memory serves several tensors in turn.
                results.append([value.clone() for value in self._outputs])
        return [torch.stack(values) for values in zip(*results, strict=True)]
