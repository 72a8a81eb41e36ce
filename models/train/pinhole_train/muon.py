"""Muon (Jordan et al. 2024): steps of matrices with all singular values alike, for the weights of 1x1 convolutions.

The momentum of each matrix is replaced by the nearest orthogonal matrix, by five Newton-Schulz iterations in bfloat16. It is
scaled to the size of Adam's steps (Liu et al. 2025), so that one learning rate suits both optimisers.
"""

from __future__ import annotations

import torch
from torch import nn

from .workers import Workers

# The quintic whose iterations bring singular values from (0, 1] near 1, quickly rather than exactly: 0.7 to 1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ADAM_RMS = 0.2


def is_matrix(weight: torch.Tensor) -> bool:
    """Whether a parameter is the weight of a 1x1 convolution."""
    return weight.ndim == 4 and weight.shape[1] > 1 and weight.shape[2] == weight.shape[3] == 1


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """The nearest orthogonal matrices, nearly, of a stack (k, rows, columns), rows <= columns."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """Steps of `lr` times an orthogonal matrix. With several workers each one orthogonalises its share of the matrices.

    `found_inf` (0 or 1) as the fused Adam has it: where it is 1 the step leaves everything as it is.
    """

    def __init__(self, params, lr: float | torch.Tensor = 1e-3, momentum: float = 0.95, workers: Workers | None = None):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.workers = workers or Workers()
        self.found_inf: torch.Tensor | None = None

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            steps = self._steps(weights, group["momentum"])
            for weight, step in zip(weights, steps, strict=True):
                step = step * (ADAM_RMS * max(step.shape) ** 0.5) * group["lr"]
                if self.found_inf is not None:
                    step = torch.where(self.found_inf > 0, 0.0, step)
                weight.sub_(step[:, :, None, None])

    def _steps(self, weights: list[nn.Parameter], momentum: float) -> list[torch.Tensor]:
        """The orthogonal matrices of all weights (Nesterov's momentum)."""
        directions = []
        for weight in weights:
            gradient = weight.grad.float()[:, :, 0, 0]
            if self.found_inf is not None:
                gradient = torch.where(self.found_inf > 0, 0.0, gradient)
            state = self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(gradient)
            state["momentum"].lerp_(gradient, 1 - momentum)
            directions.append(gradient.lerp(state["momentum"], momentum))
        # Wide ones of one shape go together: many small products are slower than few large ones.
        alike: dict[tuple[int, ...], list[int]] = {}
        for at, direction in enumerate(directions):
            alike.setdefault(tuple(sorted(direction.shape)), []).append(at)
        wide = [torch.stack([_widened(directions[at]) for at in indices]) for indices in alike.values()]
        steps: list[torch.Tensor] = [torch.empty(0)] * len(directions)
        for indices, stack in zip(alike.values(), self.workers.share(wide, orthogonalise), strict=True):
            for at, step in zip(indices, stack, strict=True):
                steps[at] = step if step.shape == directions[at].shape else step.mT
        return steps


def _widened(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
