"""A training step recorded once and replayed: thousands of small kernels cost more to launch than to run."""

from __future__ import annotations

from collections.abc import Callable

import torch


class GraphedStep:
    """Replays `step(*inputs)` as one CUDA graph; what it returns is overwritten by the next replay.

    The step must not wait for the device, and every tensor that it changes or reads must stay where it is. Recording
    runs it three times.
    """

    def __init__(self, step: Callable, *inputs: torch.Tensor):
        self.inputs = [x.clone() for x in inputs]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                step(*self.inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = step(*self.inputs)

    def __call__(self, *inputs: torch.Tensor):
        """The outputs of one more step."""
        for kept, given in zip(self.inputs, inputs, strict=True):
            kept.copy_(given)
        self.graph.replay()
        return self.outputs
