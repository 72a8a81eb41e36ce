"""The perceptual losses against the metric that they stand for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import as_tensor, picture
from PIL import Image

from pinhole_train.perceptual import border_error, pattern_error, peak_error, ssimulacra2

SAMPLES = Path(__file__).parents[3] / "samples"


def noise(pixels: np.ndarray, amount: int) -> np.ndarray:
    """Uniform integers within +-amount."""
    added = np.random.Generator(np.random.PCG64(7)).integers(-amount, amount, pixels.shape, endpoint=True)
    return np.clip(pixels.astype(int) + added, 0, 255).astype(np.uint8)


def blur(pixels: np.ndarray, reach: int) -> np.ndarray:
    """Mean over a square of 2 * reach + 1 pixels."""
    size, (height, width, _) = 2 * reach + 1, pixels.shape
    wide = np.pad(pixels.astype(int), ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    total = sum(wide[y : y + height, x : x + width] for y in range(size) for x in range(size))
    return ((total + size**2 // 2) // size**2).astype(np.uint8)


def levels(pixels: np.ndarray, step: int) -> np.ndarray:
    """Posterised to multiples of `step`."""
    return np.clip(pixels.astype(int) // step * step + step // 2, 0, 255).astype(np.uint8)


# Scores of samples/chelsea.png distorted by the functions above, saved as PNG and measured by
# `pinhole compare samples/chelsea.png DISTORTED.png --json` (fast-ssim2 0.9.1).
REFERENCE = [
    (noise, 4, 88.073), (noise, 12, 66.081), (noise, 30, 23.189),
    (blur, 1, 64.512), (blur, 2, 39.432),
    (levels, 16, 64.264), (levels, 32, 15.976),
]  # fmt: skip


def score(original: np.ndarray, distorted: np.ndarray) -> float:
    return ssimulacra2(as_tensor(original).float(), as_tensor(distorted).float()).item()


@pytest.mark.parametrize(("distort", "amount", "expected"), REFERENCE)
def test_scores_are_near_the_metric(distort, amount, expected):
    original = np.asarray(Image.open(SAMPLES / "chelsea.png").convert("RGB"))
    assert score(original, distort(original, amount)) == pytest.approx(expected, abs=4)


def test_identical_pictures_score_100():
    original = picture(96, 130)
    assert score(original, original) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(("distort", "amounts"), [(noise, [0, 2, 6, 15, 40]), (blur, [0, 1, 2, 4])])
@pytest.mark.parametrize("whole", [True, False])
def test_more_distortion_scores_lower(distort, amounts, whole):
    original = picture(128, 128)
    distorted = np.stack([distort(original, amount) for amount in amounts])
    stack = torch.from_numpy(distorted).permute(0, 3, 1, 2).float()
    scores = ssimulacra2(as_tensor(original).float().expand(len(amounts), -1, -1, -1), stack, whole).tolist()
    assert all(a > b + 1 for a, b in zip(scores, scores[1:], strict=False)), scores


def test_the_score_of_a_picture_does_not_depend_on_its_batch():
    pictures = torch.cat([as_tensor(picture(64, 64, seed)).float() for seed in range(3)])
    distorted = pictures + 10
    together = ssimulacra2(pictures, distorted)
    alone = torch.cat([ssimulacra2(a[None], b[None]) for a, b in zip(pictures, distorted, strict=True)])
    assert torch.allclose(together, alone, atol=1e-2)


@pytest.mark.parametrize("kind", ["equal", "near", "black", "beyond the gamut"])
def test_gradients_are_finite(kind):
    original = as_tensor(picture(64, 64)).float()
    distorted = {
        "equal": original.clone(),
        "near": original + torch.randn(original.shape, generator=torch.Generator().manual_seed(2)),
        "black": torch.zeros_like(original),
        "beyond the gamut": original * 3 - 200,
    }[kind].requires_grad_()
    ssimulacra2(original, distorted, whole=False).sum().backward()
    assert torch.isfinite(distorted.grad).all()


def test_the_gradient_leads_to_the_original():
    original = as_tensor(picture(64, 64)).float()
    distorted = (original + 8 * torch.randn(original.shape, generator=torch.Generator().manual_seed(2))).requires_grad_()
    before = ssimulacra2(original, distorted)
    before.sum().backward()
    step = distorted.grad / distorted.grad.abs().max()
    assert ssimulacra2(original, distorted.detach() + 2 * step) > before


def test_border_error_is_zero_for_equal_pictures_and_for_a_shift():
    original = as_tensor(picture(64, 64)).float()
    assert border_error(original, original).item() == 0
    assert border_error(original + 5, original).item() == 0


def test_border_error_tells_blocking_from_other_errors():
    original = torch.full((1, 3, 64, 64), 100.0)
    blocks = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    on_grid = blocks.repeat_interleave(8, 2).repeat_interleave(8, 3)
    off_grid = on_grid.roll((4, 4), (2, 3))
    assert border_error(original + on_grid, original).item() > 1
    assert border_error(original + off_grid, original).item() == 0


def test_border_error_is_the_mean_square_of_the_steps():
    original = torch.zeros(1, 3, 16, 16)
    distorted = original.clone()
    distorted[:, :, 8:] = 3
    # One border down, all of it stepping by 3; one border right, without a step.
    assert border_error(distorted, original).item() == pytest.approx(9 / 2)


def test_a_pattern_counts_where_the_original_is_flat():
    flat, busy = torch.full((1, 3, 64, 64), 128.0), 128 + 60 * torch.randn(1, 3, 64, 64)
    checks = 4.0 * (1 - 2 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2))
    assert pattern_error(flat, flat).item() == 0
    # All of it is fine, or nearly; a shift has nothing fine.
    assert 14 < pattern_error(flat + checks, flat).item() < 18
    assert pattern_error(flat + 4, flat).item() < 1e-6
    assert pattern_error(busy + checks, busy).item() < 0.2


def test_errors_of_equal_energy_count_for_more_where_they_are_gathered():
    flat = torch.full((1, 3, 64, 64), 128.0)
    gathered, spread = flat.clone(), flat + 4
    gathered[:, :, 16:32, 16:32] += 16
    assert peak_error(flat, flat).item() < 1e-5
    assert peak_error(spread, flat).item() == pytest.approx(16)
    # Of 49 windows one has the error whole, four its half and four its quarter.
    expected = 256 * ((1 + 4 / 8 + 4 / 64) / 49) ** (1 / 3)
    assert peak_error(gathered, flat).item() == pytest.approx(expected, rel=1e-5)


def test_activity_masks_errors():
    busy = 128 + 40 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert 2 < peak_error(busy + 4, busy).item() < 16 / 4
