"""Checkpoints survive accidents, and a resumed run is the run that was not interrupted."""

import os
import pickle

import pytest
import torch
from conftest import config

from pinhole_train import checkpoint
from pinhole_train.train import Trainer


def state() -> dict:
    return {"step": 3, "model": {"weight": torch.arange(6.0).view(2, 3)}, "config": config()}


def test_round_trip(tmp_path):
    path = tmp_path / "folder" / "a.ckpt"
    digest = checkpoint.save(path, state())
    assert len(digest) == 64
    read = checkpoint.load(path)
    assert read["step"] == 3
    assert read["config"] == config()
    assert torch.equal(read["model"]["weight"], state()["model"]["weight"])
    assert [p.name for p in path.parent.iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("place", [0, 7, 8, 39, 40, 500, -1])
def test_a_flipped_byte_is_noticed(tmp_path, place):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, state())
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.ckpt"):
        checkpoint.load(path)


@pytest.mark.parametrize("length", [0, 5, 20, 40, 400])
def test_a_cut_file_is_noticed(tmp_path, length):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, state())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="a.ckpt"):
        checkpoint.load(path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, state())

    def fail(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(OSError, match="no space"):
            checkpoint.save(path, state() | {"step": 4})
    assert checkpoint.load(path)["step"] == 3
    # What the failed write left behind is no obstacle.
    checkpoint.save(path, state() | {"step": 5})
    assert checkpoint.load(path)["step"] == 5


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_checkpoint_cannot_run_code(tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, {"step": Harmful()})
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load(path)


class Interrupted(Trainer):
    """Stops dead before the step `at`."""

    at = 0

    def _train_step(self):
        if self.step == self.at:
            raise KeyboardInterrupt
        return super()._train_step()


def differences(a, b, where: str = "") -> list[str]:
    """The places at which two states differ in a bit."""
    if isinstance(a, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [where]
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return [d for key in a for d in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{where}/{i}")]
    return [] if a == b else [where]


@pytest.fixture(scope="module")
def float_checkpoint(tmp_path_factory, pictures):
    return Trainer(config(steps=3), [str(pictures)], tmp_path_factory.mktemp("float"), "cpu").run()


@pytest.mark.parametrize("stage", ["float", "quantised"])
def test_a_resumed_run_ends_bit_for_bit_like_one_that_was_not_interrupted(tmp_path, pictures, float_checkpoint, stage):
    changes = {"checkpoint_every": 1}
    if stage == "quantised":
        changes |= {"start": str(float_checkpoint), "quantise": True, "perceptual": 0.01, "mse_share": 0.2, "border": 0.1}
        changes |= {"float_share": 0.5, "score_from": 0.75}
    given = config(**changes)
    straight = Trainer(given, [str(pictures)], tmp_path / "straight", "cpu").run()
    # A quantised stage rounds from step 2 on, and looks at the score from step 3 on: resumed before, at and after it.
    for at in (1, 2, 3):
        Interrupted.at = at
        run = Interrupted(given, [str(pictures)], tmp_path / "resumed", "cpu")
        with pytest.raises(KeyboardInterrupt):
            run.run()
        # Whatever else the process draws must not matter.
        torch.rand(17)
    resumed = Trainer(given, [str(pictures)], tmp_path / "resumed", "cpu").run()
    a, b = checkpoint.load(straight), checkpoint.load(resumed)
    assert a["step"] == 4
    assert differences(a, b) == []
    start = checkpoint.load(float_checkpoint)
    assert differences(a["model"], start["model"]) != []


def test_a_seed_makes_the_run(tmp_path, pictures):
    runs = [Trainer(config(steps=1, seed=s), [str(pictures)], tmp_path / str(i), "cpu").run() for i, s in enumerate([1, 1, 2])]
    first, same, other = (checkpoint.load(run)["model"] for run in runs)
    assert differences(first, same) == []
    assert differences(first, other) != []
