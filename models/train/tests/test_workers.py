"""Several processes that train one model."""

import json
from pathlib import Path

import torch
import torch.distributed as dist
from conftest import config

from pinhole_train import checkpoint
from pinhole_train.workers import Workers, train_together


def meet(rank: int, folder: str) -> None:
    """What one of three processes does in the test below."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=3)
    workers = Workers(rank, 3)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(rank + 5.0)
    workers.agree(model)
    assert all(torch.all(p == 5.0) for p in model.parameters())
    # A parameter without a gradient stands still in this stage.
    for p in list(model.parameters())[:3]:
        p.grad = torch.full_like(p, 3.0 * rank)
    workers.average(model)
    assert all(torch.all(p.grad == 3.0) for p in list(model.parameters())[:3])
    workers.wait()
    (Path(folder) / f"done-{rank}").touch()


def test_gradients_become_their_mean(tmp_path):
    torch.multiprocessing.spawn(meet, (str(tmp_path),), nprocs=3)
    assert len(list(tmp_path.glob("done-*"))) == 3


def test_two_processes_train_one_model(tmp_path, photos):
    stage = config(quantise=True, float_share=0.5, steps=2)
    train_together(2, stage, photos, tmp_path, None)
    first = checkpoint.load(tmp_path / "last.ckpt")
    assert (first["step"], first["rounding"]) == (2, True)
    # Goes on where it ended.
    train_together(2, config(quantise=True, float_share=0.5, steps=4), photos, tmp_path, None)
    assert checkpoint.load(tmp_path / "last.ckpt")["step"] == 4
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]
