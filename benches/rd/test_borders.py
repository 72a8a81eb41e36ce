import numpy as np
import pytest
from borders import blocking


def test_noise_knows_nothing_of_patches():
    random = np.random.default_rng(0)
    original = random.integers(0, 256, (128, 192, 3)).astype(np.uint8)
    decoded = original + random.normal(0, 4, original.shape)
    assert blocking(original, decoded, 8) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("patch", "other"), [(8, 16), (16, 8)])
def test_patches_that_are_each_a_little_too_bright_show(patch, other):
    random = np.random.default_rng(0)
    original = np.full((128, 192, 3), 128, np.uint8)
    levels = random.normal(0, 3, (128 // patch, 192 // patch))
    decoded = original + np.kron(levels, np.ones((patch, patch)))[:, :, None] + random.normal(0, 0.5, original.shape)
    assert blocking(original, decoded, patch) > 20
    # Every border of 16×16 patches is one of 8×8, too, but only every other one the other way round.
    assert blocking(original, decoded, other) > 5
