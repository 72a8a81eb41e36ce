"""One training stage: rate-distortion training of the whole codec, float or quantisation-aware.

The loss of a picture is bpp + lambda * D, lambda drawn log-uniformly; with D the mean squared error this is the negative
ELBO of a VAE with a uniform posterior (Balle et al. 2018), the rate being its KL term. Dividing by sqrt(lambda) keeps
the gradients of all rates alike.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .codec import Codec, kmacs_per_pixel, parameter_count
from .config import Config
from .data import Crops, data_hash, find_pictures
from .health import Health
from .layers import equalise_branches, observe, round_for_stage
from .lineage import code_commit
from .perceptual import border_error, ssimulacra2
from .tracking import Tracker, flat
from .transplant import transplant

log = logging.getLogger("pinhole_train")


def lambda_of(quality: torch.Tensor, bounds: tuple[float, float]) -> torch.Tensor:
    """The Lagrangian of a quality in [0, 1]."""
    return bounds[0] * (bounds[1] / bounds[0]) ** quality


def focused(uniform: torch.Tensor, focus: float) -> torch.Tensor:
    """Numbers in [0, 1] drawn uniformly, moved towards the middle: there they are 1 / (1 - focus) times as dense."""
    return uniform + focus / (2 * math.pi) * torch.sin(2 * math.pi * uniform)


@torch.no_grad()
def remap_gains(model: Codec, old: tuple[float, float], new: tuple[float, float]) -> None:
    """Move the gain knots to a new range of lambda, so that each knot's lambda keeps its gains.

    Beyond the old range they follow sqrt(lambda), the high-rate law.
    """
    log_gain = model.gains.log_gain
    span = math.log(old[1] / old[0])
    lambdas = lambda_of(torch.linspace(0, 1, len(log_gain), dtype=torch.float64), new)
    before = (lambdas.log() - math.log(old[0])) / span
    inside = before.clamp(0, 1)
    moved = model.gains(inside.to(log_gain))[:, :, 0, 0].log()
    log_gain.copy_(moved + ((before - inside) * span / 2).to(log_gain)[:, None])


def check_standstill(before: Config, now: Config) -> None:
    """What stands still in a stage that trains one transform must be final already: streams depend on it."""
    if not before.quantise and before.train != now.train:
        raise ValueError(f"{now.start}: not quantised, so the parts that stand still would change later")
    if before.lambda_range != now.lambda_range:
        raise ValueError(f"{now.name}: another lambda_range than {now.start} would change the gains")


class Average:
    """Exponential moving average of the weights (Polyak); what evaluation and export use."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        state = model.state_dict()
        torch._foreach_lerp_([self.values[k] for k in state], list(state.values()), 1 - decay)


class Trainer:
    """Everything a stage's state consists of; `run` continues wherever the newest checkpoint stands."""

    def __init__(self, config: Config, folders: list[str], out: Path, device: str, tracking: str | None = None):
        torch.manual_seed(config.seed)
        self.config, self.out, self.device = config, Path(out), torch.device(device)
        self.tracking = tracking
        paths = find_pictures(folders)
        self.data_hash = data_hash(paths)
        self.crops = Crops(paths, config.crop, config.shrinks, config.seed)
        self.samples = self.crops.samples(4)
        self.model = Codec(config.shape, config.lambda_range).to(self.device, memory_format=torch.channels_last)
        self.health = Health(config.shape.latents)
        self.step = 0
        self.skipped = 0
        self.parent = ""
        previous = self.out / "last.ckpt"
        state = checkpoint.load(previous) if previous.exists() else None
        if state is None and config.start:
            start = checkpoint.load(Path(config.start))
            self.parent = checkpoint.file_hash(Path(config.start))
            if config.train != "all":
                check_standstill(start["config"], config)
            self._start_from(start["average"], start["config"])
        elif state is None:
            equalise_branches(self.model, self._probe, exponent=1.0, keep_function=False)
        if config.train != "all":
            self.model.requires_grad_(False)
            self.trained.requires_grad_(True)
        round_for_stage(self.model, config.train, False)
        if config.quantise and state is None:
            self._calibrate()
        round_for_stage(self.model, config.train, config.quantise)
        basis = [self.model.analysis.patches, self.model.analysis.down, self.model.synthesis.up, self.model.synthesis.patches]
        trained = [p for p in self.model.parameters() if p.requires_grad]
        basis_ids = {id(p) for layer in basis for p in layer.parameters()}
        slow = [p for p in trained if id(p) in basis_ids]
        others = [p for p in trained if id(p) not in basis_ids]
        self.optimiser = torch.optim.Adam(
            [{"params": others, "factor": 1.0}, {"params": slow, "factor": config.basis_rate}],
            lr=config.learning_rate, betas=(0.9, 0.99), fused=True,
        )
        self.average = Average(self.model, config.ema)
        if state is not None:
            self._restore(state)

    @property
    def trained(self) -> nn.Module:
        """The part that this stage trains."""
        return self.model if self.config.train == "all" else getattr(self.model, self.config.train)

    @torch.no_grad()
    def _start_from(self, weights: dict[str, torch.Tensor], before: Config) -> None:
        """Take over the weights of another stage, bringing them to this stage's shape and range of rates."""
        if before.shape != self.config.shape:
            old = Codec(before.shape, before.lambda_range)
            old.load_state_dict(weights)
            rates = old(self.crops.batch(16), torch.rand(16))["bits_y"].mean(0)
            weights = transplant(weights, self.model, rates)
        self.model.load_state_dict(weights)
        if before.lambda_range != self.config.lambda_range:
            remap_gains(self.model, before.lambda_range, self.config.lambda_range)

    @torch.no_grad()
    def _probe(self) -> None:
        self.model(self.crops.batch(4).to(self.device), torch.full((4,), 0.7, device=self.device))

    def _calibrate(self) -> None:
        """Ranges of the activations before the first rounded step."""
        equalise_branches(self.trained, self._probe, exponent=0.5, keep_function=True)
        observe(self.trained, True)
        self.model.train()
        with torch.no_grad():
            for _ in range(20):
                quality = torch.rand(self.config.batch, device=self.device)
                self.model(self.crops.batch(self.config.batch).to(self.device), quality)

    def _state(self) -> dict:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.values,
            "optimiser": self.optimiser.state_dict(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "crops": self.crops.state(),
            "config": self.config,
            "data_hash": self.data_hash,
            "parent": self.parent,
        }

    def _restore(self, state: dict) -> None:
        self.step = state["step"]
        self.parent = state.get("parent", "")
        self.model.load_state_dict(state["model"])
        self.average.values = {k: v.to(self.device) for k, v in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["torch_random"])
        if self.device.type == "cuda" and state.get("cuda_random") is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)
        self.crops.restore(state["crops"])
        if state["data_hash"] != self.data_hash:
            log.warning("the training pictures are not those that the checkpoint was trained on")
        log.info("resumed at step %d", self.step)

    def _rate_factor(self) -> float:
        c = self.config
        if self.step < c.warmup:
            return (self.step + 1) / c.warmup
        progress = (self.step - c.warmup) / max(1, c.steps - c.warmup)
        return c.final_rate + (1 - c.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def losses(self, picture: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
        """Per-picture loss and its parts."""
        c = self.config
        lam = lambda_of(quality, c.lambda_range)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            out = self.model(picture, quality)
        target = picture.float()
        pixels = target.shape[2] * target.shape[3]
        bpp_y, bpp_z = out["bits_y"].sum(1) / pixels, out["bits_z"].sum(1) / pixels
        mse = (out["picture"] - target).square().mean((1, 2, 3))
        # Towards the top of the range fidelity counts fully: there the eye sees no difference any more.
        share = c.mse_share + (1 - c.mse_share) * quality**8
        distortion = share * lam * mse
        parts = {"bpp": bpp_y + bpp_z, "bpp_hyper": bpp_z, "mse": mse}
        if c.border:
            distortion = distortion + c.border * lam * border_error(out["picture"], target)
        if c.perceptual:
            score = ssimulacra2(target, out["picture"], whole=False)
            distortion = distortion + c.perceptual * (lam / 0.01) ** 0.6 * (100 - score)
            parts["ssimulacra2"] = score
        parts["loss"] = (parts["bpp"] + distortion) / lam.sqrt()
        self.health.see(quality, out["bits_y"], out["latents"], parts["loss"].mean().item())
        return parts

    def _train_step(self) -> dict[str, float]:
        """One batch and one step of the optimiser; the means over the batch of what `losses` tells."""
        c = self.config
        # For the last part of a quantised stage the ranges stand still.
        observe(self.trained, c.quantise and self.step < int(0.7 * c.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = c.learning_rate * self._rate_factor() * group["factor"]
        picture = self.crops.batch(c.batch).to(self.device)
        # Stratified, so that every batch spans the rates.
        quality = focused((torch.randperm(c.batch) + torch.rand(c.batch)) / c.batch, c.focus).to(self.device)
        parts = self.losses(picture, quality)
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].mean().backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if torch.isfinite(norm):
            self.optimiser.step()
            self.average.update(self.model, self.step)
        else:
            self.skipped += 1
            if self.skipped > 100:
                raise RuntimeError(f"diverged: 100 steps without a finite gradient by step {self.step}")
        self.step += 1
        return {key: value.detach().mean().item() for key, value in parts.items()} | {"gradient": norm.item()}

    def run(self) -> Path:
        """Train to the configured step; returns the path of the last checkpoint."""
        c = self.config
        self.out.mkdir(parents=True, exist_ok=True)
        encode, decode = kmacs_per_pixel(c.shape)
        log.info("%s: %d parameters, %.1f / %.1f kMAC per pixel, data %s, %d pictures",
                 c.name, parameter_count(self.model), encode, decode, self.data_hash[:12], len(self.crops.pictures))
        self.model.train()
        name = f"{c.name} {self.out.name}"
        tags = {"data": self.data_hash, "commit": code_commit(), "parent": self.parent, "device": str(self.device)}
        tracker = Tracker(self.out, self.step, self.tracking, name, flat(c), tags)
        try:
            self._loop(tracker)
        finally:
            tracker.close()
        return self.out / "last.ckpt"

    def _loop(self, tracker: Tracker) -> None:
        c = self.config
        sums: dict[str, float] = {}
        since = time.monotonic()
        while self.step < c.steps:
            rate = self._rate_factor()
            for key, value in self._train_step().items():
                sums[key] = sums.get(key, 0.0) + value / c.log_every
            if self.step % c.log_every == 0:
                now = time.monotonic()
                entry = {"rate": rate, "skipped": self.skipped, "s_per_step": (now - since) / c.log_every}
                entry |= sums | self.health.metrics()
                tracker.metrics(self.step, entry)
                for complaint in self.health.complaints():
                    log.warning("step %d: %s", self.step, complaint)
                if self.step % (10 * c.log_every) == 0:
                    log.info("step=%d %s", self.step, " ".join(f"{k}={v:.4g}" for k, v in entry.items()))
                    tracker.histogram(self.step, "channel_bits", self.health.channel_bits().numpy())
                    tracker.histogram(self.step, "channel_variance", self.health.channel_variance().numpy())
                sums, since = {}, now
            if self.step % c.checkpoint_every == 0 or self.step == c.steps:
                checkpoint.save(self.out / "last.ckpt", self._state())
                tracker.picture(self.step, "crops", self._sample_grid())

    @torch.no_grad()
    def _sample_grid(self) -> np.ndarray:
        """The same crops at every checkpoint: originals in the first row, then three qualities. Leaves no trace."""
        originals = self.samples.to(self.device)
        rows = [originals.float()]
        self.model.eval()
        for quality in (0.2, 0.5, 0.8):
            rows.append(self.model(originals, torch.full((len(originals),), quality, device=self.device))["picture"])
        self.model.train()
        grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1).round().clamp(0, 255)
        return grid.permute(1, 2, 0).byte().cpu().numpy()
