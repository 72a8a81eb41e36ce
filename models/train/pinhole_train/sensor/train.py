"""Training: bits under the context model plus squared error, at all qualities at once."""

from __future__ import annotations

import copy
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch

from ..layers import enable_quantisation, observe, round_ste
from .config import SensorConfig
from .data import Windows, load
from .model import PASSES, SensorModel, quality_feature, scale_of_index

log = logging.getLogger(__name__)

# Squared error, in squared steps, that one bit is worth: encoders decide by the same (coder.py).
BIT_WORTH = 0.11
SMALLEST = 1e-7


def laplace_bits(residual: torch.Tensor, symbol: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Bits of the unit bin around `symbol` under a zero-mean Laplace distribution; the gradient is that of `residual`."""
    a = (symbol + residual - residual.detach()).abs()
    inner = 1 - 0.5 * torch.exp(-(a + 0.5) / scale) - 0.5 * torch.exp(-(0.5 - a).clamp(min=0) / scale)
    outer = 0.5 * torch.exp(-(a - 0.5).clamp(min=0) / scale) * (1 - torch.exp(-1 / scale))
    return -torch.log2(torch.where(a < 0.5, inner, outer).clamp(min=SMALLEST))


def code(model: SensorModel, latents: torch.Tensor, previous: torch.Tensor, log2_step: torch.Tensor, dead_zone: float):
    """Plain quantisation of latents as training sees it: bits (n,), decoded latents in steps (n, C, T)."""
    step = torch.exp2(log2_step).view(-1, 1, 1)
    scaled = latents / step
    decoded = torch.zeros_like(scaled).detach()
    bits = 0.0
    planes = model.start(previous, quality_feature(log2_step))
    for channel in model.order:
        for turn, (first, stride) in enumerate(PASSES):
            mean, index = model.predict(planes, channel, turn)
            residual = scaled[:, channel, first::stride] - mean
            symbol = (residual.sign() * torch.floor(residual.abs() + dead_zone)).detach()
            bits = bits + laplace_bits(residual, symbol, scale_of_index(index)).sum(1)
            with torch.no_grad():
                decoded[:, channel, first::stride] = torch.round(16 * (mean + symbol))
                planes.put(channel, decoded[:, channel])
    # Straight through: what the decoder adds back follows the latent.
    return bits, (scaled + (decoded / 16 - scaled).detach()) * step


def augment(x: torch.Tensor, before: torch.Tensor, chance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Time reversed for half of the windows."""
    flip = (chance < 0.5).view(-1, 1, 1)
    return torch.where(flip, x.flip(2), x), torch.where(flip, before.flip(2), before)


def train(config: SensorConfig, folder: Path, out: Path) -> SensorModel:
    """Train from scratch: `float_steps` without rounding, the rest with the engine's. Writes `model.pt` and `log.jsonl`."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    windows: Windows = load(config.dataset, folder, config.window)
    data = torch.tensor(windows.values)
    before = torch.tensor(windows.before)
    model = SensorModel(config, data.shape[1])
    transform = [*model.analysis.parameters(), *model.synthesis.parameters()]
    ids = {id(p) for p in transform}
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in ids], "base": config.learning_rate},
        {"params": transform, "base": config.learning_rate * 0.01},
    ]
    optimiser = torch.optim.Adam(groups)
    average = copy.deepcopy(model)
    out.mkdir(parents=True, exist_ok=True)
    started = time.time()
    sums = []
    with open(out / "log.jsonl", "w") as lines:
        for at in range(config.steps):
            if at == config.float_steps:
                enable_quantisation(model)
            observe(model, at >= config.float_steps - 50 and at < config.steps - (config.steps - config.float_steps) // 3)
            rate = min(1, at / 50 + 0.02) * max(0.01, 1 - at / config.steps)
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * rate
            which = torch.randint(len(data), (config.batch,))
            x, old = data[which], data[before[which].clamp(min=0)]
            x, old = augment(x, old, torch.rand(config.batch))
            low, high = config.step_range
            log2_step = low + (high - low) * torch.rand(config.batch)
            step = torch.exp2(log2_step).view(-1, 1, 1)
            with torch.no_grad():
                kept = (before[which] >= 0) & (torch.rand(config.batch) > 0.1)
                previous = 16 * torch.round(model.analyse(old) / step).abs() * kept.view(-1, 1, 1)
            latents = model.analyse(x)
            bits, decoded = code(model, latents, previous, log2_step, 0.45)
            error = ((model.synthesise(decoded) - x) / step).square().sum((1, 2))
            cost = bits + error / BIT_WORTH
            # Windows at rest weigh as much as others do, per cent of their bits.
            loss = (cost / (cost.detach() + 100)).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            with torch.no_grad():
                decay = min(config.ema, at / (at + 10))
                for a, p in zip(average.parameters(), model.parameters(), strict=True):
                    a.lerp_(p, 1 - decay)
                for a, b in zip(average.buffers(), model.buffers(), strict=True):
                    a.copy_(b)
            sums.append((bits.mean().item(), error.mean().item(), loss.item()))
            if (at + 1) % 100 == 0:
                mean = np.mean(sums, 0)
                row = {"step": at + 1, "bits": mean[0], "error": mean[1], "seconds": round(time.time() - started, 1)}
                lines.write(json.dumps(row) + "\n")
                lines.flush()
                log.info("%s", row)
                sums.clear()
    observe(model, False)
    enable_quantisation(average)
    state = {"model": average.state_dict(), "config": config, "channels": data.shape[1]}
    torch.save(state, out / "model.pt")
    return average.eval()


def read(path: Path) -> SensorModel:
    """A trained model, rounded as the engine rounds."""
    with torch.serialization.safe_globals([SensorConfig]):
        state = torch.load(path, weights_only=True)
    model = SensorModel(state["config"], state["channels"])
    model.load_state_dict(state["model"])
    enable_quantisation(model)
    return model.eval()
