"""Stages of float decoders: they run, resume exactly, and leave the latent space alone."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from conftest import as_tensor, busy_codec, config, picture

from pinhole_train import checkpoint
from pinhole_train.__main__ import main
from pinhole_train.decoder_config import DecoderConfig
from pinhole_train.decoder_health import DecoderHealth, observe
from pinhole_train.decoder_train import DecoderTrainer, Pictures, decoder_of, train_decoders
from pinhole_train.discriminator import FeatureDiscriminator, PixelDiscriminator, hinge, matching, persuasion
from pinhole_train.export import load_codec
from pinhole_train.float_decoder import FloatDecoder, FloatShape, kmacs_per_pixel
from pinhole_train.layers import grids
from pinhole_train.train import Trainer

TINY = FloatShape(low_hidden=16, bottlenecks=2, bottleneck=16, refinement=8)
CPU = torch.device("cpu")
CONFIGS = Path(__file__).parent.parent / "configs/decoders"


@pytest.fixture
def codec(tmp_path, photos):
    return Trainer(config(quantise=True), photos, tmp_path / "codec", "cpu").run()


def stage(**changes) -> DecoderConfig:
    defaults = {"name": "hq", "steps": 4, "batch": 4, "crop": 64, "warmup": 1, "log_every": 2, "shrinks": (0.75,), "shape": TINY}
    return DecoderConfig(**(defaults | changes))


def gan(**changes) -> DecoderConfig:
    adversarial = {"name": "gan", "adversarial": 0.8, "perceptual": 0.01, "border": 0.2, "low": 2.2, "head_start": 2, "discriminator_width": 8}
    return stage(**(adversarial | changes))


@torch.no_grad()
def test_a_decoder_starts_as_the_synthesis_that_it_grew_from():
    model = busy_codec()
    decoder = FloatDecoder(TINY, model.shape.syntheses["standard"], model.shape.latents).grow_from(model.syntheses["standard"])
    # Its weights are the rounded ones; its activations are not rounded.
    for grid in grids(model.syntheses["standard"]):
        grid.enabled = False
    coded = model(as_tensor(picture(128, 64)), torch.tensor([0.6]))
    drawn = decoder(coded["decoded"])
    assert (drawn - coded["picture"]).abs().max() < 1e-3
    assert drawn.shape == (1, 3, 128, 64)


def test_cost_of_the_shipped_shape():
    from pinhole_train.config import SynthesisShape

    base = SynthesisShape(width=192, blocks=6, hidden=256, low_blocks=3, low_hidden=512)
    decoder = FloatDecoder(FloatShape(), base, 288)
    assert 38 < kmacs_per_pixel(decoder) < 43
    # Two bytes a weight: what ships stays well below 16 MiB.
    assert sum(p.numel() for p in decoder.parameters()) < 4e6


def test_hq_learns_and_the_latent_space_stands_still(tmp_path, photos, codec):
    before = checkpoint.file_hash(codec)
    trainer = DecoderTrainer(stage(steps=30, learning_rate=1e-3), codec, Pictures(photos, stage(), CPU), tmp_path / "hq")
    frozen = {k: v.clone() for k, v in trainer.codec.state_dict().items()}
    done = trainer.run()
    assert all(torch.equal(v, frozen[k]) for k, v in trainer.codec.state_dict().items())
    assert checkpoint.file_hash(codec) == before
    model, _, _ = load_codec(codec)
    shown = as_tensor(picture(128, 128, 7))
    with torch.no_grad():
        coded = model(shown, torch.tensor([0.9]))
        drawn = decoder_of(checkpoint.load(done))(coded["decoded"])
    error = lambda p: (p - shown.float()).square().mean()  # noqa: E731
    assert error(drawn) < error(coded["picture"])


def test_the_decoder_trains_on_what_decoders_get(tmp_path, photos, codec):
    trainer = DecoderTrainer(stage(), codec, Pictures(photos, stage(), CPU), tmp_path / "hq")
    latents, _ = trainer.code(as_tensor(picture(64, 64)), torch.tensor([0.3]))
    model, _, _ = load_codec(codec)
    with torch.no_grad():
        assert torch.equal(latents, model(as_tensor(picture(64, 64)), torch.tensor([0.3]))["decoded"])
    steps = latents * 512
    assert torch.equal(steps, steps.round())


@pytest.mark.parametrize("make", [stage, gan])
def test_resuming_is_exact(tmp_path, photos, codec, make):
    def train(name: str, *stops: int) -> dict:
        for stop in stops:
            c = make(steps=stop, final_rate=1.0)
            DecoderTrainer(c, codec, Pictures(photos, c, CPU), tmp_path / name).run()
        return checkpoint.load(tmp_path / name / "last.ckpt")

    whole, halves = train("whole", 6), train("halves", 3, 6)
    for part in ("model", "average", "discriminator"):
        for name, value in (whole[part] or {}).items():
            assert torch.equal(value, halves[part][name]), name


def test_stages_follow_each_other_to_a_student(tmp_path, photos, codec):
    student = gan(name="student", teacher="gan", head_start=0, shape=FloatShape(0, 16, 0, 16, 4))
    stages = [stage(), gan(start="hq"), student]
    done = train_decoders(stages, codec, photos, tmp_path / "out")
    assert [p.parent.name for p in done] == ["hq", "gan", "student"]
    hq, taught, small = (checkpoint.load(p) for p in done)
    assert "hq" in taught["parents"] and "gan" in small["parents"]
    assert len(small["average"]) < len(taught["average"])
    assert all(v.dtype == torch.float16 for v in small["average"].values())
    assert any(not torch.equal(v, hq["average"][k]) for k, v in taught["average"].items())
    entries = [json.loads(line) for line in (tmp_path / "out/gan/log.jsonl").read_text().splitlines()]
    assert {"bpp", "low_rates", "fidelity", "ssimulacra2", "generator", "discriminator", "common", "detail"} <= entries[-1].keys()
    assert list((tmp_path / "out/gan/samples").iterdir())


def test_a_stage_by_the_clock_ends_in_time(tmp_path, photos, codec):
    trainer = DecoderTrainer(stage(steps=1), codec, Pictures(photos, stage(), CPU), tmp_path / "hq", seconds=1.5)
    trainer.run()
    assert trainer.step > 1
    assert trainer._progress() < 3


def test_another_latent_space_is_refused(tmp_path, photos, codec):
    train_decoders([stage()], codec, photos, tmp_path / "out")
    other = Trainer(config(quantise=True, seed=2), photos, tmp_path / "other", "cpu").run()
    with pytest.raises(ValueError, match="another latent space"):
        train_decoders([gan(start="hq")], other, photos, tmp_path / "out")
    rough = Trainer(config(), photos, tmp_path / "rough", "cpu").run()
    with pytest.raises(ValueError, match="not quantised"):
        train_decoders([stage()], rough, photos, tmp_path / "elsewhere")


def test_command_line(tmp_path, photos, codec):
    settings = dataclasses.asdict(stage()) | {"shrinks": [0.75]}
    shape = settings.pop("shape")
    lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items()] + ["[shape]"] + [f"{k} = {v}" for k, v in shape.items()]
    (tmp_path / "hq.toml").write_text("\n".join(lines))
    assert main(["decoder", str(tmp_path / "hq.toml"), "--codec", str(codec), "--data", *photos, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/hq/decoder.ckpt").exists()


def test_losses_of_the_adversary():
    sure, unsure = [torch.full((2, 1, 4, 4), 2.0)], [torch.zeros(2, 1, 4, 4)]
    assert hinge(sure, [-sure[0]]) == 0
    assert hinge(unsure, unsure) == 2
    assert torch.equal(persuasion(sure), torch.tensor([-2.0, -2.0]))
    features = [torch.randn(2, 8, 4, 4)]
    assert torch.equal(matching(features, features), torch.zeros(2))
    assert (matching(features, [-features[0]]) > 1).all()


def test_a_discriminator_can_learn_and_sees_the_latents():
    torch.manual_seed(0)
    judge = PixelDiscriminator(4, 8)
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3, betas=(0.5, 0.9))
    for _ in range(60):
        latents = torch.randn(4, 4, 4, 4)
        smooth = torch.full((4, 3, 64, 64), 128.0)
        rough = smooth + 40 * torch.randn(4, 3, 64, 64)
        loss = hinge(judge(rough, latents)[0], judge(smooth, latents)[0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.5
    assert not torch.equal(judge(rough, latents)[0][0], judge(rough, -latents)[0][0])


def test_a_discriminator_of_features_can_learn_and_sees_the_latents():
    torch.manual_seed(0)
    judge = FeatureDiscriminator((6, 9), 4, 8)
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3, betas=(0.5, 0.9))
    directions = [torch.randn(1, c, 1, 1) for c in (6, 9)]
    for _ in range(100):
        latents = torch.randn(4, 4, 4, 4)
        noise = [torch.randn(4, c, s, s) for c, s in ((6, 16), (9, 2))]
        near, far = ([torch.nn.functional.normalize(n + w * d, dim=1) for n, d in zip(noise, directions)] for w in (1, -1))
        scores, found = judge(near, latents)
        loss = hinge(scores, judge(far, latents)[0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.7
    assert [s.shape for s in scores] == [(4, 1, 16, 16), (4, 1, 2, 2)]
    assert [f.shape for f in found] == [(4, 8, 16, 16), (4, 8, 2, 2)]
    assert not torch.equal(judge(near, latents)[0][0], judge(near, -latents)[0][0])


def test_what_goes_wrong_is_said():
    torch.manual_seed(0)
    target = torch.rand(8, 3, 32, 32) * 255
    pattern = 30 * torch.randn(1, 3, 32, 32)
    assert observe(target + pattern, target)["common"] > 0.9
    assert observe(target + 30 * torch.randn(8, 3, 32, 32), target)["common"] < 0.3
    good = {"fidelity": 1.0, "common": 0.1, "detail": 0.9, "discriminator": 1.2}
    health = DecoderHealth(8)
    assert not health.complaints(good)
    (complaint,) = health.complaints(good | {"common": 0.8})
    assert "mode collapse" in complaint
    assert "knows all" in health.complaints(good | {"discriminator": 0.01})[0]
    assert "knows nothing" in health.complaints(good | {"discriminator": 1.999})[0]
    assert "diverging" in health.complaints(good | {"fidelity": 3.0})[0]
    assert "diverging" in DecoderHealth(8).complaints(good | {"fidelity": float("nan")})[0]
    assert "detail" in health.complaints(good | {"detail": 9.0})[0]


def test_shipped_configs_are_read():
    configs = {name: DecoderConfig.read(CONFIGS / f"photo-{name}.toml") for name in ("hq", "perceptual", "gan", "student")}
    assert not configs["hq"].adversarial
    assert configs["perceptual"].features
    assert not configs["perceptual"].adversarial
    assert configs["gan"].start == configs["perceptual"].name
    assert configs["gan"].adversarial
    assert configs["student"].teacher == configs["gan"].name
    # One reading of the pictures serves all of them.
    assert len({(c.crop, c.shrinks) for c in configs.values()}) == 1


def test_unknown_settings_are_refused(tmp_path):
    (tmp_path / "typo.toml").write_text('name = "x"\nsteps = 1\nadverserial = 1.0\n')
    with pytest.raises(ValueError, match="adverserial"):
        DecoderConfig.read(tmp_path / "typo.toml")


@torch.no_grad()
def test_a_beaten_discriminator_counts_for_nothing(tmp_path, photos, codec):
    trainer = DecoderTrainer(gan(), codec, Pictures(photos, gan(), CPU), tmp_path / "gan")
    gradient, force = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8)
    assert trainer._balanced(gradient, force).norm() == 0
    trainer.balance[2] = 1.0
    for scale in (1.0, 1e-3):
        trainer.balance[:2] = 0
        assert trainer._balanced(gradient, force * scale).norm().item() == pytest.approx(0.8 * gradient.norm().item(), rel=1e-3)
