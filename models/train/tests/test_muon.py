"""Orthogonal steps for matrices."""

from pathlib import Path

import torch
import torch.distributed as dist
from conftest import config

from pinhole_train import checkpoint
from pinhole_train.muon import ADAM_RMS, Muon, is_matrix, orthogonalise
from pinhole_train.train import Trainer
from pinhole_train.workers import Workers


def test_singular_values_come_near_one_and_directions_stay():
    torch.manual_seed(0)
    matrices = torch.randn(3, 24, 40) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    made = orthogonalise(matrices)
    assert torch.linalg.svdvals(made).sub(1).abs().max() < 0.4
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    nearest = left @ right
    cosine = (made * nearest).sum((1, 2)) / made.norm(dim=(1, 2)) / nearest.norm(dim=(1, 2))
    assert cosine.min() > 0.97


def weights() -> list[torch.nn.Parameter]:
    torch.manual_seed(1)
    shapes = [(6, 4), (4, 6), (4, 6), (5, 5), (3, 8)]
    made = [torch.nn.Parameter(torch.randn(*shape, 1, 1)) for shape in shapes]
    for weight in made:
        weight.grad = torch.randn_like(weight)
    return made


def test_steps_have_the_size_of_adams_and_go_down():
    trained = weights()
    before = [w.detach().clone() for w in trained]
    Muon(trained, 0.01).step()
    for old, weight in zip(before, trained, strict=True):
        step = weight.detach() - old
        rms = step.square().mean().sqrt().item()
        assert 0.6 < rms / (0.01 * ADAM_RMS) < 1.3
        assert (step * weight.grad).sum() < 0


def test_a_step_without_a_finite_gradient_changes_nothing():
    trained, same = weights(), weights()
    optimiser, other = Muon(trained, 0.01), Muon(same, 0.01)
    for one in (optimiser, other):
        one.found_inf = torch.tensor(0.0)
        one.step()
    before = [w.detach().clone() for w in trained]
    for weight in trained:
        weight.grad = torch.full_like(weight, float("nan"))
    optimiser.found_inf = torch.tensor(1.0)
    optimiser.step()
    assert all(torch.equal(old, weight) for old, weight in zip(before, trained, strict=True))
    assert all(torch.isfinite(optimiser.state[w]["momentum"]).all() for w in trained)


def meet(rank: int, folder: str, alone: list[torch.Tensor]) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    trained = weights()
    Muon(trained, 0.01, workers=Workers(rank, 2)).step()
    for weight, expected in zip(trained, alone, strict=True):
        torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-6)
    (Path(folder) / f"done-{rank}").touch()


def test_two_processes_take_the_step_of_one(tmp_path):
    trained = weights()
    Muon(trained, 0.01).step()
    torch.multiprocessing.spawn(meet, (str(tmp_path), [w.detach() for w in trained]), nprocs=2)
    assert len(list(tmp_path.glob("done-*"))) == 2


def test_a_stage_stops_and_resumes_exactly(tmp_path, photos):
    whole = Trainer(config(optimiser="muon", steps=4), photos, tmp_path / "whole", "cpu")
    assert sum(is_matrix(p) for g in whole.optimisers[1].param_groups for p in g["params"]) > 10
    assert not any(is_matrix(p) for g in whole.optimisers[0].param_groups for p in g["params"])
    expected = checkpoint.load(whole.run())["model"]
    part = Trainer(config(optimiser="muon", steps=4), photos, tmp_path / "parts", "cpu")
    for _ in range(2):
        part._train_step()
    checkpoint.save(tmp_path / "parts" / "last.ckpt", part._state())
    resumed = checkpoint.load(Trainer(config(optimiser="muon", steps=4), photos, tmp_path / "parts", "cpu").run())["model"]
    for name, value in expected.items():
        assert torch.equal(resumed[name], value), name
