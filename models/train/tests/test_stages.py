"""Stages that train one transform and leave the rest as it ships."""

import dataclasses
import json

import pytest
import torch
from conftest import SHAPE, as_tensor, config, picture

from pinhole_train import checkpoint
from pinhole_train import stage as stages
from pinhole_train.config import AnalysisShape, SynthesisShape
from pinhole_train.export import load_codec
from pinhole_train.join import join
from pinhole_train.layers import grids
from pinhole_train.objective import focused
from pinhole_train.train import Trainer


@pytest.fixture
def parent(tmp_path, photos):
    return Trainer(config(quantise=True), photos, tmp_path / "parent", "cpu").run()


@torch.no_grad()
def coded(path, **which) -> tuple[dict, dict[str, torch.Tensor]]:
    model, _, state = load_codec(path)
    return state["average"], model(as_tensor(picture(64, 64)), torch.tensor([0.6]), **which)


@pytest.mark.parametrize("quantise", [False, True])
def test_another_decoder_for_the_same_streams(tmp_path, photos, parent, quantise):
    another = {"draft": SynthesisShape(width=64, blocks=2, hidden=16, low_hidden=16)}
    shape = dataclasses.replace(SHAPE, syntheses=SHAPE.syntheses | another)
    stage = config(train=("syntheses.draft",), quantise=quantise, start=str(parent), shape=shape)
    lite = Trainer(stage, photos, tmp_path / "draft", "cpu").run()
    (before, old), (after, new) = coded(parent), coded(lite, synthesis="draft")
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    assert torch.equal(new["decoded"], old["decoded"])
    assert torch.equal(new["bits_y"], old["bits_y"])
    assert not torch.equal(new["picture"], old["picture"])


def test_a_float_decoder_is_rounded_in_a_stage_of_its_own(tmp_path, photos, parent):
    rough = Trainer(config(train=("syntheses.lite",), start=str(parent)), photos, tmp_path / "a", "cpu").run()
    stage = config(train=("syntheses.lite",), quantise=True, start=str(rough))
    rounded = Trainer(stage, photos, tmp_path / "b", "cpu").run()
    assert torch.equal(coded(rounded)[1]["decoded"], coded(parent)[1]["decoded"])


def test_learned_steps_are_kept_where_the_start_has_them(tmp_path, photos, parent):
    stage = config(train=("syntheses.lite",), quantise=True, start=str(parent), steps=1, learning_rate=1e-9)
    after = Trainer(stage, photos, tmp_path / "again", "cpu").run()
    before, now = coded(parent)[0], coded(after)[0]
    for name in before:
        torch.testing.assert_close(now[name], before[name], rtol=0, atol=1e-6)


def test_another_encoder_for_the_same_decoders(tmp_path, photos, parent):
    another = {"fast": AnalysisShape(width=48, blocks=1, hidden=16, low_hidden=16)}
    shape = dataclasses.replace(SHAPE, analyses=SHAPE.analyses | another)
    stage = config(train=("analyses.fast",), split={"fast": 2}, quantise=True, start=str(parent), shape=shape)
    fast = Trainer(stage, photos, tmp_path / "fast", "cpu").run()
    (before, _), (after, _) = coded(parent), coded(fast, analysis="fast")
    changed = {name for name in after if name not in before or not torch.equal(after[name], before[name])}
    assert changed
    assert all(name.startswith("analyses.fast.") for name in changed)


def test_an_encoder_learns_to_follow_another(tmp_path, photos, parent):
    another = {"fast": AnalysisShape(width=48, blocks=1, hidden=16, low_hidden=16)}
    shape = dataclasses.replace(SHAPE, analyses=SHAPE.analyses | another)
    how = {"train": ("analyses.fast",), "split": {"fast": 2}, "start": str(parent), "shape": shape}
    pixels = as_tensor(picture(64, 64))

    @torch.no_grad()
    def distance(path) -> float:
        model = load_codec(path)[0]
        fast, default = (model.analyse(pixels, {name: 1}) for name in ("fast", "default"))
        return (fast - default).square().mean().item()

    few = Trainer(config(follow="default", steps=1, ema=0.0, **how), photos, tmp_path / "few", "cpu").run()
    many = Trainer(config(follow="default", steps=30, ema=0.0, **how), photos, tmp_path / "many", "cpu").run()
    assert distance(many) < 0.9 * distance(few)
    # The stage after it rounds what has been learned.
    rounded = Trainer(config(quantise=True, **(how | {"start": str(many)})), photos, tmp_path / "rounded", "cpu").run()
    assert torch.equal(coded(rounded)[1]["decoded"], coded(parent)[1]["decoded"])


def test_what_would_change_the_streams_is_refused(tmp_path, photos, parent):
    with pytest.raises(ValueError, match="lambda_range"):
        other = config(train=("syntheses.lite",), start=str(parent), lambda_range=(1e-3, 0.1))
        Trainer(other, photos, tmp_path / "a", "cpu")
    rough = Trainer(config(), photos, tmp_path / "float", "cpu").run()
    assert not checkpoint.load(rough)["config"].quantise
    with pytest.raises(ValueError, match="not quantised"):
        Trainer(config(train=("syntheses.lite",), start=str(rough)), photos, tmp_path / "b", "cpu")


def test_the_score_counts_from_where_the_stage_says(tmp_path, photos):
    def rows(name: str, **changes) -> list[dict]:
        Trainer(config(**changes), photos, tmp_path / name, "cpu").run()
        return [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]

    late = rows("late", perceptual=0.01, mse_share=0.2, score_from=0.5)
    squared = rows("squared")
    assert ["ssimulacra2_standard" in row for row in late] == [False, False, True, True]
    same = [a["loss"] == b["loss"] for a, b in zip(late, squared, strict=True)]
    assert same == [True, True, False, False]


def test_focus_moves_qualities_to_the_middle():
    uniform = torch.linspace(0, 1, 10001)
    moved = focused(uniform, 0.4)
    assert moved[0] == 0
    assert torch.all(moved.diff() > 0)
    assert abs(moved[-1] - 1) < 1e-6
    inside = ((moved - 0.5).abs() < 0.05).float().mean() / 0.1
    assert 1.6 < inside < 1 / (1 - 0.4)
    assert torch.equal(focused(uniform, 0.0), uniform)


def test_shrunk_weights_are_the_same_model(tmp_path, parent):
    checkpoint.shrink(parent, tmp_path / "small.ckpt")
    assert (tmp_path / "small.ckpt").stat().st_size < parent.stat().st_size / 4
    (_, whole), (_, small) = coded(parent), coded(tmp_path / "small.ckpt")
    for name, value in whole.items():
        torch.testing.assert_close(small[name], value, rtol=1e-5, atol=1e-3)


def test_weights_of_fewer_bits_are_a_start(tmp_path, photos, parent):
    checkpoint.shrink(parent, tmp_path / "rough.ckpt", bits=6)
    whole, rough = coded(parent)[0], coded(tmp_path / "rough.ckpt")[0]
    name = "analyses.default.down.weight"
    steps = whole[name].abs().amax((1, 2, 3), keepdim=True) / 31
    assert ((whole[name] - rough[name]).abs() <= 0.501 * steps).all()
    assert (rough[name] / steps).round().unique().numel() <= 63
    Trainer(config(quantise=True, start=str(tmp_path / "rough.ckpt")), photos, tmp_path / "on", "cpu").run()


def test_weights_that_were_not_rounded_are_a_start(tmp_path, photos):
    before = Trainer(config(), photos, tmp_path / "float", "cpu").run()
    checkpoint.shrink(before, tmp_path / "small.ckpt")
    whole, small = checkpoint.load(before), checkpoint.load(tmp_path / "small.ckpt")
    name = "analyses.default.down.weight"
    steps = whole["average"][name].abs().amax((1, 2, 3), keepdim=True) / 127
    apart = (whole["average"][name] - small["average"][name]).abs() / steps
    assert 0.1 < apart.max() <= 0.501
    # Ranges of the activations are still to be measured.
    rounded = Trainer(config(quantise=True, start=str(tmp_path / "small.ckpt")), photos, tmp_path / "on", "cpu")
    rounded.run()
    assert all(grid.log_step != 0 for grid in grids(rounded.model) if not grid.fixed)


def test_parts_trained_apart_are_joined(tmp_path, photos, parent, caplog):
    another = {"fast": AnalysisShape(width=48, blocks=1, hidden=16, low_hidden=16)}
    shape = dataclasses.replace(SHAPE, analyses=SHAPE.analyses | another)
    stage = config(train=("analyses.fast",), split={"fast": 2}, quantise=True, start=str(parent), shape=shape)
    fast = Trainer(stage, photos, tmp_path / "fast", "cpu").run()
    stage = config(train=("syntheses.lite",), quantise=True, start=str(parent))
    lite = Trainer(stage, photos, tmp_path / "lite", "cpu").run()
    joined = tmp_path / "joined.ckpt"
    join(parent, {"analyses.fast": fast, "syntheses.lite": lite}, joined)
    assert "another latent space" not in caplog.text
    assert torch.equal(coded(joined, analysis="fast")[1]["decoded"], coded(fast, analysis="fast")[1]["decoded"])
    assert torch.equal(coded(joined, synthesis="lite")[1]["picture"], coded(lite, synthesis="lite")[1]["picture"])
    assert torch.equal(coded(joined)[1]["picture"], coded(parent)[1]["picture"])
    stranger = Trainer(config(quantise=True, seed=2), photos, tmp_path / "stranger", "cpu").run()
    join(parent, {"syntheses.lite": stranger}, joined)
    assert "another latent space" in caplog.text
    with pytest.raises(ValueError, match=r"analyses\.none"):
        join(parent, {"analyses.none": fast}, joined)


def test_groups_of_parameters_have_rates_of_their_own(tmp_path, photos, monkeypatch):
    # As on a GPU, where a recorded step reads rates from tensors.
    monkeypatch.setattr(stages, "first_rate", lambda rate, _device: torch.tensor(rate))
    for optimiser in ("adam", "muon"):
        trainer = Trainer(config(optimiser=optimiser, basis_rate=0.25), photos, tmp_path / optimiser, "cpu")
        trainer._train_step()
        groups = [group for one in trainer.optimisers for group in one.param_groups]
        assert {group["factor"] for group in groups} == {1.0, 0.25}
        for group in groups:
            assert float(group["lr"]) == pytest.approx(trainer.config.learning_rate * group["factor"])
