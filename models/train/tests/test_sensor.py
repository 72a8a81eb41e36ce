"""A sensor model from training to graphs, on made-up windows, in seconds."""

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
import torch

from pinhole_train.sensor.coder import WindowCoder
from pinhole_train.sensor.config import SensorConfig
from pinhole_train.sensor.data import load
from pinhole_train.sensor.export import export, reference
from pinhole_train.sensor.model import (
    PASSES,
    SensorModel,
    boxes,
    dct,
    feature_count,
    magnitude_feature,
    quality_feature,
)
from pinhole_train.sensor.train import code, examples, read, train


def made_up_har(folder, windows=60):
    t = np.arange(16)
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 6.28, (windows, 3, 1))
    x = np.sin(0.4 * t + phase) * rng.uniform(0.1, 2, (windows, 3, 1)) + rng.normal(0, 0.05, (windows, 3, 16))
    np.save(folder / "train.npy", x.astype(np.float32))


def config(transform="convolution", **other):
    return SensorConfig(
        name="tiny", dataset="har", window=16, transform=transform, synthesis_hidden=8, context_hidden=8,
        context_second=8, windows=40, steps=60, float_steps=40, batch=64, synthesis_steps=20, synthesis_batch=8, **other,
    )  # fmt: skip


def test_passes_take_every_latent_once():
    for window in (8, 16, 128):
        taken = sorted(k for first, stride in PASSES for k in range(first, window, stride))
        assert taken == list(range(window))


def test_dct_is_orthonormal():
    basis = dct(16)
    assert torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-6)


def test_features_are_what_the_codec_computes():
    assert magnitude_feature(torch.tensor([0.0, 16, 48, 4095, 9999])).tolist() == [0, 8, 16, 64, 64]
    assert boxes(torch.tensor([[[8.0, 8, 8, 9, 0, 0, 0, 0]]]), 4)[0, 0].tolist() == [4, 6, 8, 6, 4, 2, 0, 0]
    assert feature_count(6) == 116 and feature_count(2) % 4 == 0


@pytest.mark.parametrize("transform", ["convolution", "dense"])
def test_untrained_transform_gives_the_window_back(transform):
    model = SensorModel(config(transform), 3)
    x = torch.randn(5, 3, 16)
    with torch.no_grad():
        assert torch.allclose(model.synthesise(model.analyse(x)), x, atol=0.02)


def test_finer_steps_cost_more_bits_and_err_less():
    torch.manual_seed(0)
    model = SensorModel(config(), 3)
    x = torch.randn(6, 3, 16)
    seen = []
    with torch.no_grad():
        for log2_step in (0.5, -1.5, -3.5):
            latents = model.analyse(x)
            bits, decoded = code(model, latents, torch.zeros_like(x), torch.full((6,), log2_step), 0.5)
            seen.append((bits.sum().item(), (model.synthesise(decoded) - x).square().mean().item()))
    assert seen[0][1] > seen[1][1] > seen[2][1]
    assert seen[0][0] < seen[2][0]


def test_trellis_beats_plain_rounding():
    torch.manual_seed(0)
    model = SensorModel(config(), 3).eval()
    coder = WindowCoder(model)
    x = torch.randn(40, 3, 16).numpy()
    log2_step = -1.0
    decoded, bits, latents = coder.code(x, torch.zeros(40, 3, 16), log2_step)
    error = ((decoded - x) ** 2).mean()
    # Half a step apart, but worth its bits: less error than a plain quantiser of that step.
    assert error < (2.0**log2_step) ** 2 / 12 * 0.9
    assert (bits > 0).all() and latents.shape == (40, 3, 16)


def test_configs_of_the_project_are_read(pytestconfig):
    for name in ("sensor-imu", "sensor-plant"):
        assert SensorConfig.read(pytestconfig.rootpath / "configs" / "sensors" / f"{name}.toml").name == name


def test_second_examples_are_decoded_around_predicted_means(tmp_path):
    made_up_har(tmp_path)
    windows = load("har", tmp_path, 16)
    silent = dataclasses.replace(windows, values=np.zeros_like(windows.values))
    model = SensorModel(config(), 3).eval()
    for net in model.context:
        torch.nn.init.zeros_(net.mean.weight)
        torch.nn.init.constant_(net.mean.bias, 0.3)
    # The third channel's neighbours: latents of 0 are decoded as 5/16, whose feature is 3.
    first, second = (examples(model, silent, config(), predicted)[2]["features"][:, :15] for predicted in (False, True))
    assert not first.any() and (second == 3).any() and set(second.unique().tolist()) == {0, 3}


def test_first_networks_are_trained_before(tmp_path):
    made_up_har(tmp_path)
    train(config(first_steps=10), tmp_path, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [(row["channel"], row["step"]) for row in rows] == [(c, s) for s in (10, 60) for c in range(3)]


def test_a_typo_in_a_config_is_an_error(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('name = "x"\ndataset = "har"\nwindow = 16\nstep = 3\n')
    with pytest.raises(ValueError, match="unknown settings step"):
        SensorConfig.read(path)


def test_skab_windows_follow_each_other(tmp_path):
    rng = np.random.default_rng(0)
    for name, rows in (("anomaly-free/anomaly-free", 200), ("valve1/0", 500)):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        table = rng.normal(5, 2, (rows, 8))
        head = "datetime;" + ";".join("abcdefgh")
        path.write_text(head + "\n" + "\n".join("t;" + ";".join(f"{v:.5f}" for v in row) for row in table))
    windows = load("skab", tmp_path, 16)
    follows = [i for i in range(len(windows.before)) if windows.before[i] >= 0]
    assert len(follows) > 100
    # A hop is a quarter: the last quarter of the window before is followed by the first of this one.
    i = follows[0]
    assert np.allclose(windows.values[i - 1][:, 4:], windows.values[i][:, :12])
    # Only the first 400 rows of a recording are trained on.
    assert len(windows.values) == (200 - 16) // 4 + 1 + (400 - 16) // 4 + 1
    # Windows in the last tenth of 200 and 400 rows are held out; three of each lie across the seam.
    assert windows.held_out[:47].nonzero()[0].tolist() == [45, 46] and windows.held_out.sum() == 2 + 7
    assert windows.trained[:47].sum() == 42 and windows.trained.sum() == 42 + 87
    assert not (windows.trained & windows.held_out).any()


def test_scores_refer_to_windows_that_were_held_out(tmp_path):
    made_up_har(tmp_path)
    windows = load("har", tmp_path, 16)
    assert windows.held_out.sum() == 6 and windows.held_out[-6:].all() and windows.trained.sum() == 53
    coder = WindowCoder(SensorModel(config(), 3).eval())
    usual = reference(coder, windows, 50)
    # What is trained on does not matter, what is held out does.
    trained = dataclasses.replace(windows, values=np.where(windows.held_out[:, None, None], windows.values, 9))
    trained = dataclasses.replace(trained, before=np.full(len(trained.values), -1))
    alone = dataclasses.replace(windows, before=trained.before)
    assert reference(coder, trained, 50) == reference(coder, alone, 50)
    louder = dataclasses.replace(windows, values=np.where(windows.held_out[:, None, None], 2 * windows.values, windows.values))
    assert reference(coder, louder, 50)["bits"][128] > usual["bits"][128]


@pytest.mark.parametrize("transform", ["convolution", "dense"])
def test_train_export_and_run_in_onnx_runtime(tmp_path, transform):
    made_up_har(tmp_path)
    train(config(transform), tmp_path, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["channel"] for row in rows] == [0, 1, 2]
    assert all(np.isfinite(row["bits_per_latent"]) for row in rows)
    export(tmp_path / "run" / "model.pt", tmp_path, tmp_path / "export", "tiny", "0.0.1")
    described = json.loads((tmp_path / "export" / "sensor.json").read_text())
    assert described["channels"] == 3 and len(described["tables"]) == 128 and len(described["steps"]) == 101
    error = described["reference"]["error"]
    assert len(error) == 256 and all(a <= b for a, b in zip(error, error[1:], strict=False))

    model = read(tmp_path / "run" / "model.pt")
    x = torch.randn(1, 3, 16)
    given = (x * 256).round() / 256
    session = onnxruntime.InferenceSession(str(tmp_path / "export" / "analysis.onnx"))
    (latents,) = session.run(None, {"samples": model._rows(given).numpy()})
    expected = model.analyse(given).detach().numpy()
    got = model._windows(torch.tensor(latents)).numpy()
    assert np.abs(got - expected).max() <= 1.01 / 256

    planes = model.start(torch.zeros(1, 3, 16), quality_feature(torch.tensor([-2.0])))
    mean, index = model.predict(planes, 0, 0)
    features = np.full((1, feature_count(3), 1, 4), 128, np.uint8)
    place = described["places"]
    signs = 2 * (3 * 5 + 7) + 15
    for at, k in enumerate(range(0, 16, 4)):
        features[0, signs : signs + 8, 0, at] = place[k * 8 : k * 8 + 8]
    features[0, signs + 8] = 128 - 16
    features[0, signs + 9] = 128 + 16
    session = onnxruntime.InferenceSession(str(tmp_path / "export" / "context_00.onnx"))
    means, scales = session.run(["mean", "scale"], {"features": features})
    assert np.abs(means[0, 0, 0] - mean.detach().numpy()[0]).max() <= 1.01 / 16
    assert np.abs(scales[0, 0, 0] - index.detach().numpy()[0]).max() <= 1.01
