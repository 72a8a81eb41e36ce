"""Training: each channel's context model on the bits it predicts, at all qualities at once; then the synthesis."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch

from ..layers import enable_quantisation, observe
from .config import SensorConfig
from .data import Windows, load
from .model import PASSES, SensorModel, quality_feature, scale_of_index

log = logging.getLogger(__name__)

# Latents are rounded up from 1 - DEAD_ZONE on: encoders weigh error against bits, which comes to about this.
DEAD_ZONE = 0.42
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


def examples(
    model: SensorModel, windows: Windows, config: SensorConfig, predicted: bool = False
) -> list[dict[str, torch.Tensor]]:
    """For each channel what its context model learns from: features (as bytes), places, wanted latents in steps.

    Latents before are taken as plain rounding leaves them: then no pass depends on what is being trained, and all
    examples are made once. With `predicted` they are rounded around the model's means, as in coding: a latent whose
    symbol is 0 is decoded as its mean, not as 0.
    """
    generator = torch.Generator().manual_seed(config.seed)
    count, available = config.windows, torch.tensor(np.flatnonzero(windows.trained))
    # Windows that are taken more than once have another quality each time.
    turns = [available[torch.randperm(len(available), generator=generator)] for _ in range(-(-count // len(available)))]
    chosen = torch.cat(turns)[:count]
    before = torch.tensor(windows.before)[chosen]
    # Triangular: qualities about 50 are what most streams have.
    quality = torch.rand(2, count, generator=generator).mean(0)
    log2_step = config.step_range[0] + (config.step_range[1] - config.step_range[0]) * quality
    step = torch.exp2(log2_step).view(-1, 1, 1)
    kept = (before >= 0) & (torch.rand(count, generator=generator) > 0.1)
    data = torch.tensor(windows.values)
    out = []
    with torch.no_grad():
        scaled = model.analyse(data[chosen]) / step
        previous = 16 * torch.round(model.analyse(data[before.clamp(min=0)]) / step).abs() * kept.view(-1, 1, 1)
        planes = model.start(previous, quality_feature(log2_step))
        done = torch.zeros_like(scaled)
        found: dict[int, dict[str, torch.Tensor]] = {}
        for channel in model.order:
            parts: dict[str, list[torch.Tensor]] = {"features": [], "places": [], "wanted": []}
            for turn, (first, stride) in enumerate(PASSES):
                features = model.features(planes, channel, turn)
                parts["features"].append(features.to(torch.int8).permute(0, 2, 1).flatten(0, 1))
                places = torch.arange(first, model.window, stride)
                parts["places"].append(places.repeat(count))
                wanted = scaled[:, channel, first::stride]
                parts["wanted"].append(wanted.flatten())
                mean = torch.zeros(())
                if predicted:
                    table = model.place[channel, first::stride].T
                    pieces = [model.evaluate(f, table.expand(len(f), -1, -1), channel)[0] for f in features.split(256)]
                    mean = torch.cat(pieces)
                symbol = torch.sign(wanted - mean) * torch.floor((wanted - mean).abs() + DEAD_ZONE)
                done[:, channel, first::stride] = torch.round(16 * (mean + symbol))
                planes.put(channel, done[:, channel])
            found[channel] = {name: torch.cat(list_) for name, list_ in parts.items()}
        out = [found[c] for c in range(model.channels)]
    return out


def fit_context(model: SensorModel, channel: int, data: dict[str, torch.Tensor], config: SensorConfig, report) -> None:
    """Train one channel's context model for `config.steps`; those from `config.float_steps` on with the engine's rounding."""
    net = model.context[channel]
    place = model.place
    optimiser = torch.optim.Adam([*net.parameters(), place], config.learning_rate)
    sums = []
    for at in range(config.steps):
        if at == config.float_steps:
            enable_quantisation(net)
        # Steps of the grids stand still in the end.
        observe(net, config.float_steps - 30 <= at < config.steps - (config.steps - config.float_steps) // 3)
        rate = min(1, at / 20 + 0.05) * max(0.01, 1 - at / config.steps)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * rate
        which = torch.randint(len(data["wanted"]), (config.batch,))
        features = data["features"][which].float().T[None]
        places = place[channel, data["places"][which]].T[None]
        mean, index = model.evaluate(features, places, channel)
        residual = data["wanted"][which] - mean[0]
        symbol = (residual.sign() * torch.floor(residual.abs() + DEAD_ZONE)).detach()
        bits = laplace_bits(residual, symbol, scale_of_index(index[0]))
        # What the mean leaves within a symbol counts as well.
        error = (residual - symbol).square()
        loss = bits.mean() + 0.5 * error.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        sums.append(bits.mean().item())
        if (at + 1) % 100 == 0 or at + 1 == config.steps:
            report({"channel": channel, "step": at + 1, "bits_per_latent": float(np.mean(sums))})
            sums.clear()
    observe(net, False)


def fit_synthesis(model: SensorModel, windows: Windows, config: SensorConfig, report) -> None:
    """Train the synthesis on rounded latents, for the least squared error in steps."""
    optimiser = torch.optim.Adam(
        [
            {"params": [*model.refine.parameters()], "base": config.learning_rate},
            {"params": [*model.synthesis.parameters()], "base": config.learning_rate * 0.02},
        ]
    )
    data = torch.tensor(windows.values[windows.trained])
    steps, before = config.synthesis_steps, []
    for at in range(steps):
        if at == steps // 2:
            enable_quantisation(model)
        observe(model.refine, at < steps * 3 // 4)
        observe(model.synthesis, False)
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * min(1, at / 20 + 0.05) * max(0.01, 1 - at / steps)
        x = data[torch.randint(len(data), (config.synthesis_batch,))]
        # The finest steps need no help.
        step = torch.exp2(torch.empty(len(x), 1, 1).uniform_(-3, 0))
        with torch.no_grad():
            scaled = model.analyse(x) / step
            decoded = scaled.sign() * torch.floor(scaled.abs() + DEAD_ZONE) * step
        error = ((model.synthesise(decoded) - x) / step).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        before.append(error.item())
        if (at + 1) % 100 == 0:
            report({"synthesis_step": at + 1, "error": float(np.mean(before))})
            before.clear()
    observe(model, False)


def train(config: SensorConfig, folder: Path, out: Path) -> SensorModel:
    """Train from scratch. Writes `model.pt` and `log.jsonl`."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    windows: Windows = load(config.dataset, folder, config.window)
    model = SensorModel(config, windows.values.shape[1])
    out.mkdir(parents=True, exist_ok=True)
    started = time.time()
    with open(out / "log.jsonl", "w") as lines:

        def report(row: dict) -> None:
            row = {**row, "seconds": round(time.time() - started, 1)}
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            log.info("%s", row)

        if config.first_steps:
            # Without rounding: these networks are only there to say what latents will be decoded as.
            first = dataclasses.replace(config, steps=config.first_steps, float_steps=config.first_steps)
            for channel, data in enumerate(examples(model, windows, first)):
                fit_context(model, channel, data, first, report)
        for channel, data in enumerate(examples(model, windows, config, predicted=config.first_steps > 0)):
            fit_context(model, channel, data, config, report)
        fit_synthesis(model, windows, config, report)
    enable_quantisation(model)
    torch.save({"model": model.state_dict(), "config": config, "channels": model.channels}, out / "model.pt")
    return model.eval()


def read(path: Path) -> SensorModel:
    """A trained model, rounded as the engine rounds."""
    with torch.serialization.safe_globals([SensorConfig]):
        state = torch.load(path, weights_only=True)
    model = SensorModel(state["config"], state["channels"])
    model.load_state_dict(state["model"])
    enable_quantisation(model)
    return model.eval()
