"""Crops of training pictures."""

import torch

from pinhole_train.data import Crops, DeviceCrops, find_pictures


def test_crops_cut_on_a_device_are_those_cut_by_the_processor(pictures):
    paths = find_pictures([str(pictures)])
    plain = Crops(paths, 64, (1.0, 0.5), seed=3)
    device = DeviceCrops(paths, 64, (1.0, 0.5), seed=3, device=torch.device("cpu"))
    for _ in range(4):
        a, b = plain.batch(8), device.batch(8)
        assert a.dtype == torch.uint8
        assert torch.equal(a, b)
    assert plain.state() == device.state()
