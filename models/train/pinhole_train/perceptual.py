"""Perceptual losses: a differentiable SSIMULACRA2 and the error across patch borders.

SSIMULACRA2 (Sneyers, Cloudinary 2022/2023, version 2.1) compares XYB planes at six scales with a modified SSIM and two
edge maps and combines 108 averages with fixed weights. Here the blur is a plain Gaussian (sigma 1.5) in place of the
recursive approximation, planes whose weights are negligible are left out, and colours are clamped to the gamut: the
score of a whole picture agrees with the reference to about three points, and its gradient is what training needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

# Weights of version 2.1, one row per (plane, scale): SSIM, artefact and detail-loss means, then their 4-norms.
# fmt: off
WEIGHTS: list[list[list[float]]] = np.array([
    0, 0.0007376606707, 0, 0, 0.0007793481683, 0,
    0, 0.000437115573, 0, 1.104172643, 0.0006628483413, 0.0001523163278,
    0, 0.001640643746, 0, 1.842245552, 11.4411726, 0,
    0.0007989109436, 0.0001768164381, 0, 1.878759498, 10.94906991, 0,
    0.0007289346992, 0.9677937081, 0, 0.0001400342429, 0.9981766978, 0.0003194975593,
    0.0004550992114, 0, 0, 0.001364876616, 0, 0,
    0, 0, 0, 7.466890328, 0, 17.44583398,
    0.0006235601634, 0, 0, 6.683678146, 0.0003772440798, 1.027889938,
    225.205153, 0, 0, 19.21323819, 0.001140152459, 0.001237755636,
    176.393176, 0, 0, 24.43301, 0.2852080261, 0.0004485436924,
    0, 0, 0, 34.77906344, 44.83562533, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.0008680556573, 0, 0, 0, 0,
    0, 0.0005313191874, 0, 0.0001653381416, 0, 0,
    0, 0, 0, 0.0004179171803, 0.001729082823, 0,
    0.002082700585, 0, 0, 8.826982765, 23.19243344, 0,
    95.10804988, 0.9863978034, 0.9834382792, 0.001228640505, 171.2667256, 0.9807858872,
    0, 0, 0, 0.0005130064589, 0, 0.0001085405786,
]).reshape(3, 6, 6).tolist()
# fmt: on
NEGLIGIBLE = 0.05
# Pixels that the blur's kernel reaches to either side.
REACH = 5

# Opsin absorbance of XYB (JPEG XL, ISO/IEC 18181-1, annex L).
OPSIN = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342269, 0.20476745, 0.55180986),
)
OPSIN_BIAS = 0.0037930734


def linear_light(picture: torch.Tensor) -> torch.Tensor:
    """sRGB grey levels (0..255) to linear light (IEC 61966-2-1)."""
    x = (picture / 255).clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)


def positive_xyb(linear: torch.Tensor) -> torch.Tensor:
    """Linear RGB (n, 3, h, w) to the shifted XYB planes that SSIMULACRA2 compares."""
    red, green, blue = linear.unbind(1)
    long, medium, short = ((r * red + g * green + b * blue + OPSIN_BIAS) ** (1 / 3) - OPSIN_BIAS ** (1 / 3) for r, g, b in OPSIN)
    x, y = (long - medium) / 2, (long + medium) / 2
    return torch.stack([14 * x + 0.42, y + 0.01, short - y + 0.55], 1)


def _blur_matrix(size: int, whole: bool, device: torch.device) -> torch.Tensor:
    """Gaussian, sigma 1.5, as a (size, size) matrix: two products beat a convolution.

    `whole`: beyond the border there is black, as in the metric; otherwise each row is normalised.
    """
    at = torch.arange(size, dtype=torch.float32, device=device)
    distance = at[:, None] - at[None, :]
    weights = torch.exp(-(distance**2) / (2 * 1.5**2)) * (distance.abs() <= REACH)
    total = sum(math.exp(-(k**2) / (2 * 1.5**2)) for k in range(-REACH, REACH + 1))
    return weights / (total if whole else weights.sum(1, keepdim=True))


def _blur(planes: torch.Tensor, whole: bool) -> torch.Tensor:
    rows = _blur_matrix(planes.shape[-2], whole, planes.device)
    columns = _blur_matrix(planes.shape[-1], whole, planes.device)
    return rows @ planes @ columns.T


def _norm4(x: torch.Tensor) -> torch.Tensor:
    # The shift keeps the gradient finite at zero and is taken off again: weights in the hundreds follow.
    return (x.pow(4).mean((-2, -1)) + 1e-12) ** 0.25 - 1e-3


def _weighted(maps: list[torch.Tensor], weights: list[list[float]]) -> torch.Tensor:
    """Sum over planes of the weighted means and 4-norms of three error maps (n, planes, h, w)."""
    total = torch.zeros(maps[0].shape[0], device=maps[0].device)
    for kind, error in enumerate(maps):
        for norm, at in ((lambda x: x.mean((-2, -1)), kind), (_norm4, kind + 3)):
            if max(row[at] for row in weights) >= NEGLIGIBLE:
                parts = norm(error)
                total = total + sum(parts[:, plane] * row[at] for plane, row in enumerate(weights))
    return total


def _scale_error(a: torch.Tensor, b: torch.Tensor, weights: list[list[float]], whole: bool) -> torch.Tensor:
    """Weighted error of one scale: a the original's planes, b the distorted ones (n, planes, h, w)."""
    used = [p for p in range(3) if max(weights[p]) >= NEGLIGIBLE]
    if not used:
        return torch.zeros(a.shape[0], device=a.device)
    # Not by a list of indices: that copies them from the processor, which a recorded step must not.
    a, b = (torch.cat([x[:, p : p + 1] for p in used], 1) for x in (a, b))
    weights = [weights[p] for p in used]
    mean_a, mean_b = _blur(a, whole), _blur(b, whole)
    variances = _blur(a * a, whole) - mean_a**2 + _blur(b * b, whole) - mean_b**2
    covariance = _blur(a * b, whole) - mean_a * mean_b
    ssim = (1 - (mean_a - mean_b) ** 2) * (2 * covariance + 0.0009) / (variances + 0.0009)
    edges = (1 + (b - mean_b).abs()) / (1 + (a - mean_a).abs()) - 1
    return _weighted([F.relu(1 - ssim), F.relu(edges), F.relu(-edges)], weights)


def ssimulacra2(original: torch.Tensor, distorted: torch.Tensor, whole: bool = True) -> torch.Tensor:
    """Score (n,) of sRGB pictures (n, 3, h, w) in grey levels: 100 is identical, 90 hardly visible, 30 poor.

    `whole` pictures end in black as the metric has it. That hides errors within a few pixels of the border, at every
    scale: crops, whose borders lie inside a picture, are better measured without.
    """
    a, b = linear_light(original.contiguous()), linear_light(distorted.contiguous())
    error = torch.zeros(a.shape[0], device=a.device)
    for scale in range(6):
        if min(a.shape[-2:]) < 8:
            break
        if scale:
            a, b = F.avg_pool2d(a, 2, ceil_mode=True), F.avg_pool2d(b, 2, ceil_mode=True)
        error = error + _scale_error(positive_xyb(a), positive_xyb(b), [plane[scale] for plane in WEIGHTS], whole)
    error = error * 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * (error.clamp(min=1e-6)) ** 0.6276336467831387


def border_error(distorted: torch.Tensor, original: torch.Tensor, patch: int = 8) -> torch.Tensor:
    """Mean squared error (n,) of the steps across patch borders: what shows as blocking in smooth areas."""
    error = distorted - original
    down = error[:, :, patch::patch, :] - error[:, :, patch - 1 : -1 : patch, :]
    right = error[:, :, :, patch::patch] - error[:, :, :, patch - 1 : -1 : patch]
    return (down.square().mean((1, 2, 3)) + right.square().mean((1, 2, 3))) / 2


def _local_means(around: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: F.avg_pool2d(x, around, 1, around // 2, count_include_pad=False)


def _local_variance(picture: torch.Tensor, around: int) -> torch.Tensor:
    """Variance (n, 1, h, w) in squared grey levels over `around` pixels each way, mean over the colours."""
    mean = _local_means(around)
    return (mean(picture.square()) - mean(picture).square()).clamp(min=0).mean(1, keepdim=True)


def pattern_error(distorted: torch.Tensor, original: torch.Tensor, around: int = 5) -> torch.Tensor:
    """Mean squared fine error (n,) in grey levels, weighted by how flat the original is there: grain and patterns that an eye finds.

    Fine is what a mean over `around` pixels takes away. The weight is a half where the original deviates by 4 grey levels.
    """
    error = distorted - original
    fine = error - _local_means(around)(error)
    return (fine.square() / (1 + _local_variance(original, around) / 16)).mean((1, 2, 3))


def peak_error(distorted: torch.Tensor, original: torch.Tensor, window: int = 16, power: int = 3) -> torch.Tensor:
    """Power mean (n,) of the squared errors of windows, in squared grey levels: a picture is judged by where it is worst.

    So do an eye and Butteraugli. Windows are `window` pixels wide, at steps of half of that. Activity masks: errors count for
    1 / sqrt(2) where the original deviates by 8 grey levels.
    """
    masked = (distorted - original).square() / (1 + _local_variance(original, 5) / 64).sqrt()
    windows = F.avg_pool2d(masked, window, window // 2).mean(1)
    # The root has no gradient at zero.
    return windows.clamp(min=1e-6).pow(power).mean((1, 2)) ** (1 / power)
