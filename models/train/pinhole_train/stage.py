"""What all training stages share: the schedule, the loop with its log, checkpoints, averaged weights."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .config import Config
from .decoder_config import DecoderConfig
from .tracking import Silent, Tracker
from .workers import Workers

log = logging.getLogger("pinhole_train")

# Steps without a finite gradient after which a stage gives up.
MOST_SKIPPED = 100
# Every so many entries of the log one is told in words.
TOLD = 10


def rate_factor(config: Config | DecoderConfig, step: int, progress: float) -> float:
    """Learning rate relative to the configured one: a linear warm-up, then a cosine over the stage's progress (0 to 1)."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    return config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def first_rate(rate: float, device: torch.device) -> float | torch.Tensor:
    """A learning rate as an optimiser wants it: a recorded step reads it from the device."""
    return torch.tensor(rate, device=device) if device.type == "cuda" else rate


def rate_groups(
    parameters: list[nn.Parameter], bases: set[int], config: Config | DecoderConfig, device: torch.device
) -> list[dict]:
    """Parameters for an optimiser: those of bases (by `id`), which have a rate of their own, and the others.

    Each group gets its learning rate itself: groups that are given one tensor share it.
    """
    parts = ([p for p in parameters if id(p) not in bases], 1.0), ([p for p in parameters if id(p) in bases], config.basis_rate)
    return [{"params": some, "factor": factor, "lr": first_rate(config.learning_rate, device)} for some, factor in parts if some]


def set_rate(group: dict, rate: float) -> None:
    """Change the learning rate of a group of parameters."""
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def place_rates(optimiser: torch.optim.Optimizer, device: torch.device) -> None:
    """Learning rates where they belong, after a state was loaded."""
    for group in optimiser.param_groups:
        group["lr"] = first_rate(float(group["lr"]), device)


class Average:
    """Exponential moving average of the weights (Polyak); what evaluation and export use."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.steps = 0
        self.restart(model)

    def restart(self, model: nn.Module) -> None:
        """Forget what was: the weights have been rescaled."""
        self.steps = 0
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        state = model.state_dict()
        torch._foreach_lerp_([self.values[k] for k in state], list(state.values()), 1 - decay)
        self.steps += 1


class Stage:
    """The loop of a stage; what is trained, and what a step is, subclasses know.

    `run` continues wherever the newest checkpoint stands. With `seconds` the schedule follows the clock instead of the
    steps and ends when they are over: for a machine that is there for so long. Such a run cannot be repeated bit for bit.
    """

    config: Config | DecoderConfig
    # What the samples beside a checkpoint show.
    samples_name = "crops"

    def __init__(self, config, out: Path, device: str, tracking: str | None, seconds: float, workers: Workers | None = None):
        torch.manual_seed(config.seed)
        self.config, self.out, self.device = config, Path(out), torch.device(device)
        self.tracking, self.seconds = tracking, seconds
        self.workers = workers or Workers()
        self.step = 0
        # Seconds that were spent before this process, and since when it has been running.
        self.spent, self.begun = 0.0, time.monotonic()
        self.skipped = torch.zeros((), device=self.device)

    def _train_step(self) -> dict[str, torch.Tensor]:
        """One batch and one step of the optimisers; means of the batch for the log."""
        raise NotImplementedError

    def _state(self) -> dict:
        """Everything that resuming needs."""
        raise NotImplementedError

    def _sample_grid(self) -> np.ndarray:
        """A picture (height, width, 3) uint8 that shows how far the stage is. Leaves no trace."""
        raise NotImplementedError

    def _complaints(self, means: dict[str, float]) -> list[str]:
        """What has gone wrong since the log's last entry."""
        raise NotImplementedError

    def _more(self, tracker: Tracker | Silent) -> dict[str, float]:
        """Further numbers for the log."""
        return {}

    def _elapsed(self) -> float:
        """Seconds so far, if the clock rules; a run by steps ends in the same state however long it took."""
        return self.spent + time.monotonic() - self.begun if self.seconds else 0.0

    def _progress(self) -> float:
        """How much of the stage is done, 0 to 1."""
        return self._elapsed() / self.seconds if self.seconds else self.step / self.config.steps

    def _rate_factor(self) -> float:
        return rate_factor(self.config, self.step, self._progress())

    def _run(self, settings: dict, tags: dict[str, str]) -> None:
        """Run to the end of the schedule, with a log."""
        self.out.mkdir(parents=True, exist_ok=True)
        name = f"{self.config.name} {self.out.name}"
        tracker = Tracker(self.out, self.step, self.tracking, name, settings, tags) if self.workers.first else Silent()
        self.begun = time.monotonic()
        try:
            self._loop(tracker)
        finally:
            tracker.close()

    def _loop(self, tracker: Tracker | Silent) -> None:
        c = self.config
        sums: dict[str, torch.Tensor] = {}
        counts: dict[str, int] = {}
        since, before = time.monotonic(), self.step
        while self._progress() < 1:
            rate = self._rate_factor()
            for key, value in self._train_step().items():
                sums[key] = sums[key] + value if key in sums else value.clone()
                counts[key] = counts.get(key, 0) + 1
            if self.step % c.log_every == 0:
                means = {key: float(value) / counts[key] for key, value in sums.items()}
                self._report(tracker, rate, (time.monotonic() - since) / (self.step - before), means)
                sums, counts, since, before = {}, {}, time.monotonic(), self.step
            if self.step % c.checkpoint_every == 0:
                self._save(tracker)
        if self.step % c.checkpoint_every or not (self.out / "last.ckpt").exists():
            self._save(tracker)

    def _report(self, tracker: Tracker | Silent, rate: float, seconds: float, means: dict[str, float]) -> None:
        skipped = int(self.skipped)
        entry = {"rate": rate, "skipped": skipped, "s_per_step": seconds} | means | self._more(tracker)
        tracker.metrics(self.step, entry)
        for complaint in self._complaints(means):
            log.warning("step %d: %s", self.step, complaint)
        if skipped > MOST_SKIPPED:
            raise FloatingPointError(f"{self.config.name}: {skipped} steps without a finite gradient by step {self.step}")
        if self.step % (TOLD * self.config.log_every) == 0:
            log.info("step %d: %s", self.step, " ".join(f"{k} {v:.4g}" for k, v in entry.items()))

    def _save(self, tracker: Tracker | Silent) -> None:
        if self.workers.first:
            checkpoint.save(self.out / "last.ckpt", self._state())
            tracker.picture(self.step, self.samples_name, self._sample_grid())
        self.workers.wait()
