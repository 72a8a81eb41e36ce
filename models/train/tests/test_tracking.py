"""What a run leaves behind for people to look at, and what it says when something goes wrong."""

import json
import math

import numpy as np
import torch
from conftest import config
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pinhole_train.health import Health
from pinhole_train.train import Trainer


def test_a_run_is_logged_everywhere_and_goes_on_where_it_stopped(tmp_path, photos, monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    store, out = tmp_path / "mlruns", tmp_path / "run"
    stage = config(steps=20, checkpoint_every=10)
    Trainer(stage, photos, out, "cpu", store.as_uri()).run()
    Trainer(config(steps=30, checkpoint_every=10), photos, out, "cpu", store.as_uri()).run()

    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert {"bpp", "bpp_hyper", "mse_standard", "mse_lite", "loss", "gradient", "skipped", "dead_channels"} <= set(lines[0])

    events = EventAccumulator(str(out / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    assert [e.step for e in events.Scalars("loss")] == list(range(1, 31))
    assert {"channel_bits", "channel_variance"} <= set(events.Tags()["histograms"])
    assert "crops" in events.Tags()["images"]

    import mlflow

    client = mlflow.MlflowClient(tracking_uri=store.as_uri())
    runs = client.search_runs([client.get_experiment_by_name("pinhole").experiment_id])
    assert len(runs) == 1
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.params["shape.latents"] == "32"
    assert len(runs[0].data.tags["data"]) == 64
    history = client.get_metric_history(runs[0].info.run_id, "loss")
    assert sorted(m.step for m in history) == list(range(1, 31))
    assert len(client.list_artifacts(runs[0].info.run_id, "crops")) == 3

    grid = np.asarray(Image.open(out / "samples" / "crops-0000030.png"))
    # Four crops of 64 side by side, above them their originals.
    assert grid.shape == (4 * 64, 4 * 64, 3)
    trainer = Trainer(stage, photos, tmp_path / "other", "cpu")
    first = trainer.samples[0].permute(1, 2, 0).numpy()
    assert np.array_equal(grid[:64, :64], first)


def batch(bits: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.tensor([0.1, 0.9]), bits.expand(2, -1) * 16, torch.randn(2, len(bits), 4, 4)


def test_dead_channels_are_told_once():
    health = Health(8)
    alive = torch.ones(8)
    for _ in range(100):
        health.see(*batch(alive), loss=1.0)
    torch.testing.assert_close(health.channel_bits(), alive)
    assert health.metrics()["dead_channels"] == 0
    assert health.complaints() == []
    dead = torch.tensor([0.0, 0, 0, 1, 1, 1, 1, 1])
    for _ in range(1000):
        health.see(*batch(dead), loss=1.0)
    assert health.metrics()["dead_channels"] == 3
    (complaint,) = health.complaints()
    assert complaint.startswith("posterior collapse: 3 of 8")
    assert health.complaints() == []


def test_divergence_is_told():
    health = Health(4)
    for _ in range(200):
        health.see(*batch(torch.ones(4)), loss=1.0)
    for _ in range(200):
        health.see(*batch(torch.ones(4)), loss=5.0)
    (complaint,) = health.complaints()
    assert complaint.startswith("diverging")
    health.see(*batch(torch.ones(4)), loss=math.nan)
    assert math.isfinite(health.loss)


def test_low_qualities_may_leave_channels_empty():
    health = Health(4)
    low = torch.tensor([0.1, 0.3]), torch.zeros(2, 4), torch.zeros(2, 4, 4, 4)
    for _ in range(100):
        health.see(*low, loss=1.0)
    assert health.complaints() == []
