"""How real decoded pictures look: distances between sets of patch features, and a check against memorisation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .data import find_pictures
from .evaluate import load_picture
from .patch_features import NETWORK, PatchFeatures, features_of, grid_patches, random_patches


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3


def kid(real: np.ndarray, drawn: np.ndarray, subsets: int = 50, size: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Kernel inception distance (Binkowski et al. 2018): mean and deviation over random subsets of unbiased MMD².

    The deviation over subsets of so few pictures says less than that over other pictures would.
    """
    size = min(size, len(real), len(drawn))
    random = np.random.Generator(np.random.PCG64(seed))
    estimates = []
    for _ in range(subsets):
        a, b = (x[random.choice(len(x), size, replace=False)] for x in (real, drawn))
        within = sum((k.sum() - np.trace(k)) / (size * (size - 1)) for k in (_kernel(a, a), _kernel(b, b)))
        estimates.append(within - 2 * _kernel(a, b).mean())
    return float(np.mean(estimates)), float(np.std(estimates))


def fid(real: np.ndarray, drawn: np.ndarray) -> float:
    """Fréchet distance of normal distributions fitted to both (Heusel et al. 2017); comparable at equal counts only."""
    means, covariances = zip(*((x.mean(0), np.cov(x, rowvar=False)) for x in (real, drawn)))
    # tr (AB)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + sum(np.trace(c) for c in covariances) - 2 * cross)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean, (len(a), len(b))."""
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).numpy()


def precision_recall(real: np.ndarray, drawn: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Kynkäänniemi et al. 2019: the share of drawn patches that lie among the real ones, and the reverse.

    A set's region is the union of balls around its members that reach to their `neighbours`-th neighbour.
    """

    def inside(region: np.ndarray, points: np.ndarray) -> float:
        # The member itself is its first neighbour.
        radii = np.sort(distances(region, region), axis=1)[:, min(neighbours, len(region) - 1)]
        return float((distances(points, region) <= radii).any(1).mean())

    return inside(real, drawn), inside(drawn, real)


@dataclass(frozen=True)
class Memory:
    """Whether drawn patches repeat training patches; what is compared lies pair by pair."""

    # Share of drawn patches that are closer to some training patch than to their own original.
    closer: float
    # Nearest training patch's distance from the drawn patch, in units of its distance from the original: below 1, the
    # decoder moved towards the training data. Median, and the lowest hundredth.
    ratio: float
    ratio_low: float
    # Index of the drawn patches that moved most, and of the training patch next to each.
    worst: list[int]
    nearest: list[int]


def memory(real: np.ndarray, drawn: np.ndarray, training: np.ndarray, worst: int = 8) -> Memory:
    """Nearest-neighbour check: `real` and `drawn` are the same patches before and after coding."""
    if real.shape != drawn.shape:
        raise ValueError("a check for memorisation needs each drawn picture's original")
    of_drawn, of_real = distances(drawn, training), distances(real, training)
    own = np.linalg.norm(drawn - real, axis=1)
    ratio = of_drawn.min(1) / of_real.min(1).clip(1e-9)
    order = np.argsort(ratio)[:worst]
    return Memory(
        closer=float((of_drawn.min(1) < own).mean()),
        ratio=float(np.median(ratio)),
        ratio_low=float(np.quantile(ratio, 0.01)),
        worst=order.tolist(),
        nearest=of_drawn[order].argmin(1).tolist(),
    )


def paired(originals: list[Path], drawn: list[Path]) -> tuple[list[Path], list[Path]]:
    """Pictures of both folders by their names without suffix; ValueError where an original has no counterpart."""
    by_name = {path.stem: path for path in drawn}
    missing = [path.stem for path in originals if path.stem not in by_name]
    if missing:
        raise ValueError(f"no decoded picture named {missing[0]}")
    return originals, [by_name[path.stem] for path in originals]


def realism(
    originals: str, drawn: dict[str, str], training: list[str], size: int = 128, stride: int = 64,
    training_patches: int = 4000, out: Path | None = None,
) -> list[dict]:  # fmt: skip
    """One row per folder of decoded pictures; with `training` folders and `out` also a sheet of the nearest patches."""
    network = PatchFeatures()
    sources = find_pictures([originals])
    real = features_of(network, sources, size, stride)
    if training:
        known = random_patches(find_pictures(training), size, training_patches, seed=0)
        seen = torch.cat([network(part) for part in known.split(32)]).double().numpy()
    rows = []
    for name, folder in drawn.items():
        _, paths = paired(sources, find_pictures([folder]))
        features = features_of(network, paths, size, stride)
        mean, deviation = kid(real, features)
        precision, recall = precision_recall(real, features)
        row = {
            "name": name, "pictures": len(paths), "patches": len(features), "network": NETWORK,
            "kid": mean, "kid_deviation": deviation, "fid": fid(real, features), "precision": precision, "recall": recall,
        }  # fmt: skip
        if training:
            found = memory(real, features, seen)
            row |= {
                "closer_to_training": found.closer, "distance_ratio": found.ratio, "distance_ratio_low": found.ratio_low,
                "training_patches": len(known),
            }  # fmt: skip
            if out:
                _sheet(out / f"nearest-{name}.png", sources, paths, known, found, size, stride)
        rows.append(row)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "realism.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def _sheet(path: Path, originals: list[Path], drawn: list[Path], known: torch.Tensor, found: Memory, size: int, stride: int) -> None:
    """Columns: the patches that moved most towards the training data. Rows: original, drawn, nearest training patch."""

    def at(paths: list[Path], index: int) -> torch.Tensor:
        for one in paths:
            patches = grid_patches(load_picture(one), size, stride)
            if index < len(patches):
                return patches[index]
            index -= len(patches)
        raise IndexError(index)

    rows = [[at(originals, i) for i in found.worst], [at(drawn, i) for i in found.worst], [known[i] for i in found.nearest]]
    sheet = torch.cat([torch.cat(row, 2) for row in rows], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet.permute(1, 2, 0).contiguous().numpy()).save(path)
