"""Several processes that train one model: each on crops of its own, their gradients averaged.

Two cores do a quarter more steps as two processes of one thread each than as two threads of one process, which wait for
each other in every operation.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import nn

if TYPE_CHECKING:
    from .config import Config


class Workers:
    """This process among all."""

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this is the one that logs and saves."""
        return self.rank == 0

    def average(self, model: nn.Module) -> None:
        """Make each gradient the mean of all processes'."""
        if self.count == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        joined = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(joined)
        for gradient, mean in zip(gradients, (joined / self.count).split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    @torch.no_grad()
    def share(self, stacks: list[torch.Tensor], work: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        """`work` done on stacks of tensors that all processes have alike, each process on its share of every stack."""
        if self.count == 1:
            return [work(stack) for stack in stacks]
        done = [torch.zeros_like(stack) for stack in stacks]
        # Where a stack is not divided evenly, it is another process's turn to do one more.
        turn = self.rank
        for stack, made in zip(stacks, done, strict=True):
            mine = slice(turn % self.count, None, self.count)
            turn += self.count - len(stack) % self.count
            if len(stack[mine]):
                made[mine] = work(stack[mine])
        joined = torch.cat([made.flatten() for made in done])
        dist.all_reduce(joined)
        return [part.view_as(made) for part, made in zip(joined.split([made.numel() for made in done]), done, strict=True)]

    @torch.no_grad()
    def agree(self, model: nn.Module) -> None:
        """Take over the first process's weights and steps."""
        if self.count > 1:
            for value in model.state_dict().values():
                dist.broadcast(value, 0)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()


def train_together(count: int, config: Config, data: list[str], out: Path, tracking: str | None) -> None:
    """Run or resume a stage in `count` processes of this machine's processor; a batch is `count` of the config's."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        torch.multiprocessing.spawn(_work, (count, meeting, config, data, out, tracking), nprocs=count)


def _work(rank: int, count: int, meeting: str, config: Config, data: list[str], out: Path, tracking: str | None) -> None:
    from .train import Trainer

    logging.basicConfig(level=logging.WARNING if rank else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        Trainer(config, data, out, "cpu", tracking, workers=Workers(rank, count)).run()
    finally:
        dist.destroy_process_group()
