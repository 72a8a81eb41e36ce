"""One training stage: rate-distortion training of the whole codec, float or quantisation-aware.

The loss of a picture is bpp + lambda * D, lambda drawn log-uniformly; with D the mean squared error this is the negative
ELBO of a VAE with a uniform posterior (Balle et al. 2018), the rate being its KL term. Dividing by sqrt(lambda) keeps
the gradients of all rates alike.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .codec import Codec, kmacs_per_pixel, parameter_count
from .config import Config
from .data import Crops, DeviceCrops, data_hash, find_pictures
from .graphed import GraphedStep
from .health import Health
from .layers import equalise_branches, observe, round_for_stage
from .lineage import code_commit
from .muon import Muon, is_matrix
from .objective import distortion, focused, lambda_of
from .rate import prices_of
from .rounding import compile_for_processor
from .stage import TOLD, Average, Stage, place_rates, rate_groups, set_rate
from .tables import coder_for, fit_tables
from .tracking import Silent, Tracker, flat
from .workers import Workers

log = logging.getLogger("pinhole_train")


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
    """What stands still in a stage that trains some transforms must be final already: streams depend on it."""
    if not before.quantise and before.train != now.train:
        raise ValueError(f"{now.start}: not quantised, so the parts that stand still would change later")
    if before.lambda_range != now.lambda_range:
        raise ValueError(f"{now.name}: another lambda_range than {now.start} would change the gains")


class Trainer(Stage):
    """A stage of the codec, or of some of its transforms."""

    def __init__(
        self,
        config: Config,
        folders: list[str],
        out: Path,
        device: str,
        tracking: str | None = None,
        seconds: float = 0,
        workers: Workers | None = None,
    ):
        super().__init__(config, out, device, tracking, seconds, workers)
        paths = find_pictures(folders)
        self.data_hash = data_hash(paths)
        drawn = (paths, config.crop, config.shrinks, config.seed)
        self.crops = DeviceCrops(*drawn, self.device) if self.device.type == "cuda" else Crops(*drawn)
        self.samples = self.crops.samples(4)
        self.split = config.split or {next(iter(config.shape.analyses)): config.batch}
        self.model = self._build().to(self.device, memory_format=torch.channels_last)
        self.health = Health(config.shape.latents)
        self.rounding = self.calibrated = False
        self.parent = ""
        previous = self.out / "last.ckpt"
        state = checkpoint.load(previous) if previous.exists() else None
        if state is None and config.start:
            start = checkpoint.load(Path(config.start))
            self.parent = checkpoint.file_hash(Path(config.start))
            if config.train:
                check_standstill(start["config"], config)
            self._start_from(start["average"], start["config"])
        elif state is None:
            equalise_branches(self.model, self._probe, exponent=1.0, keep_function=False)
        if config.train:
            self.model.requires_grad_(False)
            for part in self.trained:
                part.requires_grad_(True)
        # Decoders learn from what they will get: symbols chosen as encoders choose them, not to the nearest.
        self.decoders_only = bool(config.train) and all(part.startswith("syntheses.") for part in config.train)
        if self.decoders_only or config.choose or config.shape.dependent:
            self.model.coder = coder_for(self.model)
        round_for_stage(self.model, config.train, False)
        self.optimisers = self._optimisers()
        self.objective = config
        self._graph: GraphedStep | None = None
        self.average = Average(self.model, config.ema)
        if state is not None:
            self._restore(state)
        self.workers.agree(self.model)
        if not self.workers.first:
            # Crops, qualities and noise of its own. A checkpoint has the first one's only.
            torch.manual_seed(1_000_003 * self.workers.rank + config.seed + self.step)
            self.crops.begin((config.seed, self.workers.rank, self.step))
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = True
        if config.compile and self.device.type == "cpu":
            compile_for_processor()
        compiled = config.compile and self.device.type == "cuda"
        self._measure = torch.compile(self._distortion, dynamic=False) if compiled else self._distortion

    def _build(self) -> Codec:
        """The networks as they start."""
        return Codec(self.config.shape, self.config.lambda_range)

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Adam, and Muon for the matrices if the stage wants it; bases have a learning rate of their own."""
        c = self.config
        ends = [m for t in self.model.analyses.values() for m in (t.patches, t.down)]
        ends += [m for t in self.model.syntheses.values() for m in (t.up, t.patches)]
        basis = {id(p) for layer in ends for p in layer.parameters()}
        trained = [p for p in self.model.parameters() if p.requires_grad]
        matrices = {id(p) for p in trained if c.optimiser == "muon" and is_matrix(p)}

        def groups(those: list[nn.Parameter]) -> list[dict]:
            return rate_groups(those, basis, c, self.device)

        others = groups([p for p in trained if id(p) not in matrices])
        cuda = self.device.type == "cuda"
        optimisers: list[torch.optim.Optimizer] = [torch.optim.Adam(others, betas=(0.9, 0.99), fused=True, capturable=cuda)]
        if matrices:
            optimisers.append(Muon(groups([p for p in trained if id(p) in matrices]), workers=self.workers))
        return optimisers

    @property
    def trained(self) -> list[nn.Module]:
        """The parts that this stage trains."""
        return [self.model.get_submodule(part) for part in self.config.train] or [self.model]

    @property
    def drawn(self) -> list[str]:
        """The syntheses that this stage needs."""
        names = list(self.config.shape.syntheses)
        if not self.config.train:
            return names
        trained = [part.removeprefix("syntheses.") for part in self.config.train if part.startswith("syntheses.")]
        latents = any(part.startswith("analyses.") for part in self.config.train)
        return list(dict.fromkeys(names[:1] * latents + trained))

    @torch.no_grad()
    def _start_from(self, weights: dict[str, torch.Tensor], before: Config) -> None:
        """Take over the weights of another stage; transforms that it did not have stay as they start."""
        missing, unexpected = self.model.load_state_dict(weights, strict=False)
        missing = [name for name in missing if name != "prices"]
        self.calibrated = before.quantise and not missing
        strangers = [name for name in missing if not name.startswith(("analyses.", "syntheses."))]
        if strangers:
            raise ValueError(f"{self.config.start}: has no {strangers[0]}: another shape")
        if unexpected:
            log.info("left out: %d tensors of transforms that this stage does not have", len(unexpected))
        if before.lambda_range != self.config.lambda_range:
            remap_gains(self.model, before.lambda_range, self.config.lambda_range)
        if self.config.shape.dependent and not self.config.train:
            # Symbols are priced as they are coded with these weights, and the scales go on from there.
            self.model.eval()
            tables = fit_tables(self.model, self.crops, batches=10, rounds=2)
            self.model.prices.copy_(torch.tensor(prices_of(tables)))
            self.model.train()

    @torch.no_grad()
    def _probe(self) -> None:
        """Every transform once."""
        picture = self.crops.batch(4).to(self.device)
        quality = torch.full((4,), 0.7, device=self.device)
        for analysis in self.config.shape.analyses:
            decoded = self.model.code(self.model.analyse(picture, {analysis: 4}), quality)["decoded"]
        for synthesis in self.config.shape.syntheses:
            self.model.draw(decoded, synthesis)

    def _calibrate(self) -> None:
        """Ranges of the activations before the first rounded step."""
        if self.calibrated and self.step == 0:
            # The steps learned with these very weights are better than any that could be measured now.
            return
        for part in self.trained:
            equalise_branches(part, self._probe, exponent=0.5, keep_function=True)
            observe(part, True)
        for _ in range(20):
            self._probe()
        for part in self.trained:
            observe(part, False)
        self.workers.agree(self.model)
        self.average.restart(self.model)

    def _state(self) -> dict:
        return {
            "step": self.step,
            "spent": self._elapsed(),
            "rounding": self.rounding,
            "model": self.model.state_dict(),
            "average": self.average.values,
            "average_steps": self.average.steps,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "crops": self.crops.state(),
            "config": self.config,
            "data_hash": self.data_hash,
            "parent": self.parent,
        }

    def _restore(self, state: dict) -> None:
        self.step, self.spent = state["step"], state["spent"]
        self.rounding = state["rounding"]
        self.parent = state["parent"]
        self.model.load_state_dict(state["model"])
        self.average.values = {k: v.to(self.device) for k, v in state["average"].items()}
        self.average.steps = state["average_steps"]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
            place_rates(optimiser, self.device)
        torch.set_rng_state(state["torch_random"])
        if self.device.type == "cuda" and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)
        self.crops.restore(state["crops"])
        round_for_stage(self.model, self.config.train, self.rounding)
        if state["data_hash"] != self.data_hash:
            log.warning("the training pictures are not those that the checkpoint was trained on")
        log.info("resumed at step %d", self.step)

    def _choose_objective(self) -> None:
        """What pictures are judged by now."""
        c = self.config
        early = dataclasses.replace(c, perceptual=0.0, mse_share=1.0, border=0.0)
        objective = early if self._progress() < c.score_from else c
        if objective != self.objective:
            self.objective, self._graph = objective, None

    def _distortion(self, drawn: torch.Tensor, target: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
        return distortion(self.objective, self.config.lambda_range, drawn, target, quality)

    def _losses(self, picture: torch.Tensor, quality: torch.Tensor) -> tuple[dict, dict]:
        """Means over the batch of the loss and its parts; what the model made of the batch."""
        if self.config.follow:
            return self._following(picture, quality)
        target = picture.float()
        pixels = target.shape[2] * target.shape[3]
        # The first decoder shapes the latents; the others draw every second picture's as they are.
        some = {name: slice(None, None, 2 if at else 1) for at, name in enumerate(self.drawn)}
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            coded = self.model.code(self.model.analyse(picture, self.split), quality)
            latents = coded["decoded"]
            drawn = [self.model.draw(latents[s].detach() if at else latents, n) for at, (n, s) in enumerate(some.items())]
        counts = [len(part) for part in drawn]
        targets, qualities = (torch.cat([x[s] for s in some.values()]) for x in (target, quality))
        made = {key: value.split(counts) for key, value in self._measure(torch.cat(drawn), targets, qualities).items()}
        bits_y, bits_z = coded["bits_y"].sum(1), coded["bits_z"].sum(1)
        bpp = (bits_y + bits_z) / pixels
        loss = (bpp / lambda_of(quality, self.config.lambda_range).sqrt()).mean() + made["distortion"][0].mean()
        means = {"bpp": bpp.mean(), "bpp_hyper": bits_z.mean() / pixels, "loss": loss}
        means |= {f"{key}_{n}": v.mean() for key in made if key != "distortion" for n, v in zip(some, made[key], strict=True)}
        means["total"] = loss + sum(part.mean() for part in made["distortion"][1:])
        return means, {"bits": coded["bits_y"].detach(), "latents": coded["symbols"].detach()}

    def _following(self, picture: torch.Tensor, quality: torch.Tensor) -> tuple[dict, dict]:
        """The same of latents that shall be those of another analysis: their distance, squared, in symbols of middle quality."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            latents = self.model.analyse(picture, self.split)
            with torch.no_grad():
                wanted = self.model.analyse(picture, {self.config.follow: len(picture)})
                coded = self.model.code(latents, quality)
        gain = self.model.gains(torch.full_like(quality, 0.5))
        loss = ((latents - wanted) * gain).square().mean()
        bpp = (coded["bits_y"].sum() + coded["bits_z"].sum()) / picture[:, 0].numel()
        return {"bpp": bpp, "loss": loss, "total": loss}, {"bits": coded["bits_y"], "latents": coded["symbols"]}

    def _device_step(self, picture: torch.Tensor, quality: torch.Tensor) -> tuple[dict, dict]:
        """Losses, gradients and one step of the optimiser, without waiting for the device."""
        means, made = self._losses(picture, quality)
        self.model.zero_grad(set_to_none=True)
        means["total"].backward()
        self.workers.average(self.model)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        # Both optimisers skip the step where this is 1.
        found_inf = (~torch.isfinite(norm)).float()
        self.skipped += found_inf
        for optimiser in self.optimisers:
            optimiser.found_inf = found_inf
            optimiser.step()
        return {key: value.detach() for key, value in means.items()} | {"gradient": norm}, made

    def _train_step(self) -> dict[str, torch.Tensor]:
        """One batch and one step of the optimiser; the means that `_losses` tells."""
        c = self.config
        if c.quantise and not self.rounding and self._progress() >= c.float_share:
            self._calibrate()
            self.rounding, self._graph = True, None
            round_for_stage(self.model, c.train, True)
            log.info("step %d: rounded from here on", self.step)
        self._choose_objective()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                set_rate(group, c.learning_rate * self._rate_factor() * group["factor"])
        picture = self.crops.batch(c.batch).to(self.device)
        # Stratified, so that every batch spans the rates.
        quality = focused((torch.randperm(c.batch) + torch.rand(c.batch)) / c.batch, c.focus).to(self.device)
        if self.device.type == "cuda":
            if self._graph is None:
                self._graph = GraphedStep(self._device_step, picture, quality)
            means, made = self._graph(picture, quality)
        else:
            means, made = self._device_step(picture, quality)
        if self.step % 10 == 0:
            self.health.see(quality, made["bits"], made["latents"], means["loss"].item())
        self.average.update(self.model)
        self.step += 1
        return means

    def run(self) -> Path:
        """Train to the end of the schedule; returns the path of the last checkpoint."""
        c = self.config
        costs = " ".join(f"{name} {cost:.1f}" for name, cost in kmacs_per_pixel(c.shape).items())
        log.info("%s: %d parameters, kMAC per pixel: %s, data %s, %d pictures",
                 c.name, parameter_count(self.model), costs, self.data_hash[:12], len(self.crops.pictures))  # fmt: skip
        self.model.train(not self.decoders_only)
        tags = {"data": self.data_hash, "commit": code_commit(), "parent": self.parent, "device": str(self.device)}
        self._run(flat(c), tags)
        return self.out / "last.ckpt"

    def _complaints(self, _means: dict[str, float]) -> list[str]:
        return self.health.complaints()

    def _more(self, tracker: Tracker | Silent) -> dict[str, float]:
        if self.step % (TOLD * self.config.log_every) == 0:
            tracker.histogram(self.step, "channel_bits", self.health.channel_bits().numpy())
            tracker.histogram(self.step, "channel_variance", self.health.channel_variance().numpy())
        return self.health.metrics()

    @torch.no_grad()
    def _sample_grid(self) -> np.ndarray:
        """The same crops at every checkpoint: originals in the first row, then three qualities. Leaves no trace."""
        originals = self.samples.to(self.device)
        rows = [originals.float()]
        self.model.eval()
        for quality in (0.2, 0.5, 0.8):
            rows.append(self.model(originals, torch.full((len(originals),), quality, device=self.device))["picture"])
        self.model.train(not self.decoders_only)
        grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1).round().clamp(0, 255)
        return grid.permute(1, 2, 0).byte().cpu().numpy()
