"""Stages that train a float decoder while the latent space stands still: `hq`, the adversarial `gan`, distillation.

The decoder sees what a decoder gets: latents through the rounded encoder and entropy model, symbols chosen as encoders
choose them. Fidelity is weighted as in the codec's own stages, so that every rate counts alike.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .codec import Codec
from .config import SynthesisShape
from .data import Crops, DeviceCrops, data_hash, find_pictures
from .decoder_config import DecoderConfig
from .decoder_health import DecoderHealth, observe
from .discriminator import FeatureDiscriminator, PixelDiscriminator, hinge, matching, persuasion
from .export import load_codec
from .float_decoder import FloatDecoder, FloatShape, kmacs_per_pixel
from .graphed import GraphedStep
from .lineage import code_commit
from .objective import distortion
from .perceptual import pattern_error
from .recognition import CHANNELS, Recognition, feature_distance
from .stage import Average, Stage, first_rate, place_rates, rate_groups, set_rate
from .tracking import flat

log = logging.getLogger("pinhole_train")

# The rate below which most of the adversarial stage's pictures should lie, bits per pixel.
LOW_RATE = 0.3
# Bound on the weight that brings the adversarial gradient to its size.
HEAVIEST = 1e4
# The finest scale that a discriminator of features judges by: that at 1/4. The one before would cost more than all others.
FINEST = 1
# Hinge losses of a discriminator that knows nothing, and of one whose word counts fully.
IGNORANT, SURE = 2.0, 1.5


def latent_space_of(codec: Codec) -> str:
    """SHA-256 of the weights that give the streams their meaning: the entropy model's and the gains."""
    digest = hashlib.sha256()
    for name, value in sorted(codec.state_dict().items()):
        if not name.startswith(("analyses.", "syntheses.")):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Pictures:
    """Training crops that several stages share: reading them takes longer than a short stage's start should."""

    def __init__(self, folders: list[str], config: DecoderConfig, device: torch.device):
        paths = find_pictures(folders)
        self.hash = data_hash(paths)
        self.drawn = (config.crop, config.shrinks)
        arguments = (paths, config.crop, config.shrinks, config.seed)
        self.crops = DeviceCrops(*arguments, device) if device.type == "cuda" else Crops(*arguments)

    def seeded(self, seed: int) -> Crops:
        """The crops, their sequence begun anew."""
        self.crops.random = np.random.Generator(np.random.PCG64(seed))
        return self.crops


class Shown(NamedTuple):
    """Pictures, and what the network for recognition sees in them, if it is used."""

    picture: torch.Tensor
    features: list[torch.Tensor]


class DecoderTrainer(Stage):
    """A stage of one float decoder."""

    samples_name = "originals, synthesis, decoder at q 0.1"

    def __init__(
        self, config: DecoderConfig, codec: Path, pictures: Pictures, out: Path, device: str = "cpu",
        tracking: str | None = None, seconds: float = 0,
    ):  # fmt: skip
        if pictures.drawn != (config.crop, config.shrinks):
            raise ValueError(f"{config.name}: crops of {config.crop} at {config.shrinks} are wanted, not {pictures.drawn}")
        super().__init__(config, out, device, tracking, seconds)
        self.crops, self.data_hash = pictures.seeded(config.seed), pictures.hash
        self.samples = self.crops.samples(4)
        self.codec = self._frozen(Path(codec))
        state = checkpoint.load(self.out / "last.ckpt") if (self.out / "last.ckpt").exists() else None
        self.base = self.codec.shape.syntheses[config.synthesis]
        self.decoder = FloatDecoder(config.shape, self.base, self.codec.shape.latents)
        self.decoder.grow_from(self.codec.syntheses[config.synthesis])
        self.parents = {"codec": checkpoint.file_hash(Path(codec))}
        self.latent_space = latent_space_of(self.codec)
        if config.start and state is None:
            self.decoder.load_state_dict(self._previous(config.start)["average"])
        self.decoder.to(self.device, memory_format=torch.channels_last)
        self.discriminator = self._new_discriminator() if config.adversarial else None
        self.teacher = self._load_teacher(state is None) if config.teacher else None
        if self.discriminator is not None:
            self.discriminator.to(self.device, memory_format=torch.channels_last)
        by_features = config.adversarial and config.discriminator == "features"
        self.recognition = Recognition().to(self.device) if config.features or by_features else None
        self._optimisers()
        self.average = Average(self.decoder, config.ema)
        self.health = DecoderHealth(config.batch)
        # Running magnitudes of the fidelity's and of the adversarial gradient on the picture, and the running hinge loss.
        self.balance = torch.tensor([0.0, 0.0, IGNORANT], device=self.device)
        # How much of the adversarial gradient counts yet.
        self.weight = torch.zeros((), device=self.device)
        self._graph: GraphedStep | None = None
        self.seen: dict[str, torch.Tensor] = {}
        if state is not None:
            self._restore(state)
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = True
            # Shapes never change here, and the depthwise convolutions' default algorithms are slow.
            torch.backends.cudnn.benchmark = True
        self._fidelity = torch.compile(self._fidelity_loss, dynamic=False) if config.compile else self._fidelity_loss

    def _frozen(self, path: Path) -> Codec:
        codec, before, _ = load_codec(path, device=self.device)
        if not before.quantise:
            raise ValueError(f"{path}: not quantised, so its latent space would change later")
        self.lambda_range = before.lambda_range
        codec.requires_grad_(False)
        codec.to(memory_format=torch.channels_last)
        return codec

    def _previous(self, start: str) -> dict:
        """A finished stage: a checkpoint by its path, or a stage by its name beside this one's folder."""
        path = Path(start)
        if not path.is_file():
            path = self.out.parent / start / "last.ckpt"
        if not path.is_file():
            raise FileNotFoundError(f"{self.config.name}: no checkpoint {start}, and none at {path}")
        state = checkpoint.load(path)
        # Checkpoints from before latent spaces had a name are taken on trust.
        if state.get("latent_space", self.latent_space) != self.latent_space:
            raise ValueError(f"{path}: was trained on another latent space than this codec's")
        self.parents[start] = checkpoint.file_hash(path)
        return state

    def _load_teacher(self, fresh: bool) -> FloatDecoder:
        state = self._previous(self.config.teacher)
        teacher = decoder_of(state)
        if fresh and self.discriminator is not None and state.get("discriminator"):
            self.discriminator.load_state_dict(state["discriminator"])
        return teacher.requires_grad_(False).eval().to(self.device, memory_format=torch.channels_last)

    def _new_discriminator(self) -> nn.Module:
        latents, width = self.codec.shape.latents, self.config.discriminator_width
        if self.config.discriminator == "features":
            return FeatureDiscriminator(CHANNELS[FINEST:], latents, width)
        return PixelDiscriminator(latents, width)

    def _optimisers(self) -> None:
        c = self.config
        ends = {id(p) for layer in (self.decoder.up, self.decoder.patches) for p in layer.parameters()}
        groups = rate_groups(list(self.decoder.parameters()), ends, c, self.device)
        betas = (0.5, 0.9) if c.adversarial else (0.9, 0.99)
        self.optimiser = torch.optim.Adam(groups, betas=betas, fused=True, capturable=self.device.type == "cuda")
        self.opponent = None
        if self.discriminator is not None:
            self.opponent = torch.optim.Adam(
                self.discriminator.parameters(), lr=first_rate(c.discriminator_rate, self.device), betas=(0.5, 0.9),
                fused=True, capturable=self.device.type == "cuda",
            )  # fmt: skip

    def _state(self) -> dict:
        return {
            "kind": "float decoder stage",
            "step": self.step,
            "spent": self._elapsed(),
            "model": self.decoder.state_dict(),
            "average": self.average.values,
            "average_steps": self.average.steps,
            "discriminator": self.discriminator.state_dict() if self.discriminator else None,
            "optimiser": self.optimiser.state_dict(),
            "opponent": self.opponent.state_dict() if self.opponent else None,
            "balance": self.balance,
            "torch_random": torch.get_rng_state(),
            "crops": self.crops.state(),
        } | self._identity()

    def _identity(self) -> dict:
        return {
            "shape": dataclasses.asdict(self.config.shape),
            "base": dataclasses.asdict(self.base),
            "latents": self.codec.shape.latents,
            "config": dataclasses.asdict(self.config),
            "data_hash": self.data_hash,
            "parents": self.parents,
            "latent_space": self.latent_space,
            "commit": code_commit(),
            "kmac_per_pixel": kmacs_per_pixel(self.decoder),
        }

    def _restore(self, state: dict) -> None:
        if state["latent_space"] != self.latent_space:
            raise ValueError(f"{self.out}: was trained on another latent space than this codec's")
        self.step, self.spent, self.parents = state["step"], state["spent"], state["parents"]
        self.decoder.load_state_dict(state["model"])
        self.average.values = {k: v.to(self.device) for k, v in state["average"].items()}
        self.average.steps = state["average_steps"]
        self.optimiser.load_state_dict(state["optimiser"])
        place_rates(self.optimiser, self.device)
        if self.discriminator is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            self.opponent.load_state_dict(state["opponent"])
            place_rates(self.opponent, self.device)
        self.balance.copy_(state["balance"])
        torch.set_rng_state(state["torch_random"])
        self.crops.restore(state["crops"])
        if state["data_hash"] != self.data_hash:
            log.warning("the training pictures are not those that the checkpoint was trained on")
        log.info("resumed at step %d", self.step)

    @torch.no_grad()
    def code(self, picture: torch.Tensor, quality: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents as a decoder gets them, and bits per pixel (n,)."""
        coded = self.codec.code(self.codec.analyse(picture, {self.config.analysis: len(picture)}), quality)
        bits = coded["bits_y"].sum(1) + coded["bits_z"].sum(1)
        return coded["decoded"], bits / (picture.shape[2] * picture.shape[3])

    def _draw(self, decoder: FloatDecoder, latents: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return decoder(latents)

    def _judge(self, shown: Shown, latents: torch.Tensor):
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            if self.config.discriminator == "features":
                return self.discriminator(shown.features[FINEST:], latents)
            return self.discriminator(shown.picture, latents)

    def _looked_at(self, picture: torch.Tensor) -> Shown:
        return Shown(picture, self.recognition(picture) if self.recognition else [])

    def _fidelity_loss(self, drawn: Shown, target: Shown, quality: torch.Tensor) -> tuple[torch.Tensor, dict]:
        """Per picture (n,), divided by sqrt(lambda) as in the codec's stages; and its parts."""
        parts = distortion(self.config, self.lambda_range, drawn.picture, target.picture, quality)
        loss = parts.pop("distortion")
        if self.config.features:
            parts["features"] = feature_distance(drawn.features, target.features)
            loss = loss + self.config.features * (1 - quality).square() * parts["features"]
        if self.config.pattern:
            parts["pattern"] = pattern_error(drawn.picture, target.picture)
            loss = loss + self.config.pattern * (1 - quality).square() * parts["pattern"]
        return loss, {key: value.mean() for key, value in parts.items()}

    def _train_step(self) -> dict[str, torch.Tensor]:
        c = self.config
        factor = self._rate_factor()
        # At first only the discriminator learns.
        waits = self.discriminator is not None and self.step < c.head_start
        for group in self.optimiser.param_groups:
            set_rate(group, 0.0 if waits else c.learning_rate * factor * group["factor"])
        for group in self.opponent.param_groups if self.opponent else []:
            set_rate(group, c.discriminator_rate * factor)
        self.weight.fill_(min(1.0, max(0.0, (self.step - c.head_start) / max(1, c.head_start))))
        picture = self.crops.batch(c.batch).to(self.device)
        uniform = (torch.randperm(c.batch) + torch.rand(c.batch)) / c.batch
        quality = (uniform**c.low).to(self.device)
        if self.device.type == "cuda":
            if self._graph is None:
                self._graph = GraphedStep(self._device_step, picture, quality)
            means, shown, target = self._graph(picture, quality)
        else:
            means, shown, target = self._device_step(picture, quality)
        if not waits:
            self.average.update(self.decoder)
        if self.step % 10 == 0 or not self.seen:
            self.seen = observe(shown, target)
        self.step += 1
        return means | self.seen

    def _device_step(self, picture: torch.Tensor, quality: torch.Tensor):
        """Losses, gradients and one step of both optimisers, without waiting for the device."""
        latents, bpp = self.code(picture, quality)
        target = picture.float()
        if self.teacher is not None:
            with torch.no_grad():
                target = self._draw(self.teacher, latents)
        drawn = self._draw(self.decoder, latents)
        means = {"bpp": bpp.mean(), "low_rates": (bpp < LOW_RATE).float().mean()}
        # The loss's gradient on the picture first: there the two forces can be measured and balanced at no cost.
        shown = self._looked_at(drawn.detach().requires_grad_(True))
        with torch.no_grad():
            wanted = self._looked_at(target)
        fidelity, parts = self._fidelity(shown, wanted, quality)
        (gradient,) = torch.autograd.grad(fidelity.mean(), shown.picture, retain_graph=self.discriminator is not None)
        means |= {"fidelity": fidelity.detach().mean()} | {k: v.detach() for k, v in parts.items()}
        if self.discriminator is not None:
            force, told = self._adversarial(shown, wanted, latents, quality)
            gradient = gradient + self._balanced(gradient, force) * self.weight
            means |= told | {"weight": self.balance[0] / self.balance[1].clamp(min=1e-20)}
        self.optimiser.zero_grad(set_to_none=True)
        drawn.backward(gradient)
        means["gradient"] = self._advance(self.optimiser, self.decoder, 1.0)
        if self.discriminator is not None:
            self._train_opponent(shown, wanted, latents, means)
        return means, drawn.detach(), target

    def _adversarial(self, shown: Shown, wanted: Shown, latents: torch.Tensor, quality: torch.Tensor):
        """Gradient on the picture of the score and the feature matching, and what they are."""
        with torch.no_grad():
            _, known = self._judge(wanted, latents)
        scores, features = self._judge(shown, latents)
        near, far = matching(known, features), persuasion(scores)
        # At high rates there is nothing to invent.
        loss = ((far + self.config.matching * near) * (1 - quality).square()).mean()
        (force,) = torch.autograd.grad(loss, shown.picture)
        return force, {"generator": far.detach().mean(), "matching": near.detach().mean()}

    def _balanced(self, gradient: torch.Tensor, force: torch.Tensor) -> torch.Tensor:
        """The adversarial gradient at its share of the other's size, by running averages of both.

        A discriminator that cannot tell real from drawn counts for nothing: brought to full size, the gradient of one
        that is beaten would teach the decoder noise that fools it.
        """
        sizes = torch.stack([gradient.norm(), force.norm()])
        known = torch.isfinite(sizes).all() * 1.0
        kept = torch.where(self.balance[1] > 0, 0.98, 0.0) * known + (1 - known)
        self.balance[:2].copy_(kept * self.balance[:2] + (1 - kept) * torch.nan_to_num(sizes))
        ratio = (self.balance[0] / self.balance[1].clamp(min=1e-20)).clamp(max=HEAVIEST)
        trust = ((IGNORANT - self.balance[2]) / (IGNORANT - SURE)).clamp(0, 1)
        return force * (self.config.adversarial * ratio * trust)

    def _train_opponent(self, shown: Shown, wanted: Shown, latents: torch.Tensor, means: dict) -> None:
        both = Shown(
            torch.cat([wanted.picture, shown.picture.detach()]),
            [torch.cat([w, s.detach()]) for w, s in zip(wanted.features, shown.features, strict=True)],
        )
        scores, _ = self._judge(both, torch.cat([latents, latents]))
        halves = [s.chunk(2) for s in scores]
        loss = hinge([r for r, _ in halves], [d for _, d in halves])
        self.opponent.zero_grad(set_to_none=True)
        loss.backward()
        means["discriminator"] = loss.detach()
        self.balance[2].lerp_(torch.nan_to_num(loss.detach(), IGNORANT), 0.02)
        means["gradient_discriminator"] = self._advance(self.opponent, self.discriminator, 10.0)

    def _advance(self, optimiser: torch.optim.Optimizer, model: nn.Module, limit: float) -> torch.Tensor:
        norm = nn.utils.clip_grad_norm_(model.parameters(), limit)
        # The fused optimiser skips the step where this is 1: no need to wait for the device to know.
        optimiser.found_inf = (~torch.isfinite(norm)).float()
        self.skipped += optimiser.found_inf
        optimiser.step()
        return norm

    def run(self) -> Path:
        """Train to the end of the schedule; returns the path of the finished decoder, `decoder.ckpt`."""
        c = self.config
        parameters = sum(p.numel() for p in self.decoder.parameters())
        log.info("%s: %d parameters, %.1f kMAC per pixel, data %s, %d pictures", c.name, parameters,
                 kmacs_per_pixel(self.decoder), self.data_hash[:12], len(self.crops.pictures))  # fmt: skip
        self.decoder.train()
        tags = {"data": self.data_hash, "commit": code_commit(), "device": str(self.device)}
        tags |= {f"parent {name}": value for name, value in self.parents.items()}
        self._run(flat(c), tags)
        checkpoint.save(self.out / "decoder.ckpt", self._finished())
        return self.out / "decoder.ckpt"

    def _finished(self) -> dict:
        """The averaged weights alone, float16: what is exported and passed on."""
        weights = {k: v.half().cpu().contiguous() for k, v in self.average.values.items()}
        return {"kind": "float decoder", "step": self.step, "average": weights} | self._identity()

    def _complaints(self, means: dict[str, float]) -> list[str]:
        return self.health.complaints(means)

    @torch.no_grad()
    def _sample_grid(self) -> np.ndarray:
        """Middles of some pictures: as they are, by the codec's synthesis, by the averaged decoder."""
        picture = self.samples.to(self.device)
        latents, _ = self.code(picture, torch.full((len(picture),), 0.1, device=self.device))
        shadow = FloatDecoder(self.config.shape, self.base, self.codec.shape.latents).to(self.device)
        shadow.load_state_dict(self.average.values)
        rows = [picture.float(), self.codec.draw(latents, self.config.synthesis), shadow(latents)]
        grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
        return grid.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()


def decoder_of(state: dict) -> FloatDecoder:
    """The averaged decoder of a loaded stage or of a finished decoder."""
    if "average" not in state or "base" not in state:
        raise ValueError("not the checkpoint of a float decoder")
    decoder = FloatDecoder(FloatShape(**state["shape"]), SynthesisShape(**state["base"]), state["latents"])
    decoder.load_state_dict({k: v.float() for k, v in state["average"].items()})
    return decoder


def train_decoders(
    configs: list[DecoderConfig], codec: Path, folders: list[str], out: Path, device: str = "cpu",
    tracking: str | None = None, seconds: list[float] | None = None,
) -> list[Path]:
    """Stages one after the other, each into the folder of its name below `out`; returns the finished decoders."""
    if seconds and len(seconds) != len(configs):
        raise ValueError(f"{len(seconds)} durations for {len(configs)} stages")
    done, pictures = [], None
    for config, duration in zip(configs, seconds or [0.0] * len(configs)):
        if pictures is None or pictures.drawn != (config.crop, config.shrinks):
            pictures = Pictures(folders, config, torch.device(device))
        trainer = DecoderTrainer(config, codec, pictures, out / config.name, device, tracking, duration)
        done.append(trainer.run())
    return done
