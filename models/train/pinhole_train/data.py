"""Training pictures: loaded once, shrunk so that their JPEG artefacts vanish, cropped at random."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def find_pictures(folders: list[str]) -> list[Path]:
    """Every picture file below the folders, sorted by path so that a seed means the same everywhere."""
    found: list[Path] = []
    for folder in folders:
        root = Path(folder)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: not a folder of pictures")
        found += [p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES]
    if not found:
        raise FileNotFoundError(f"no pictures in {', '.join(folders)}")
    return sorted(found)


def data_hash(paths: list[Path]) -> str:
    """SHA-256 over the names and contents of the training pictures: the lineage of a model."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _load(path: Path, shrinks: tuple[float, ...], smallest: int) -> list[np.ndarray]:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    versions = []
    for shrink in shrinks:
        # Small pictures are shrunk less: a crop has to fit.
        factor = max(shrink, smallest / min(picture.size))
        if factor > 1:
            continue
        size = (max(smallest, round(picture.width * factor)), max(smallest, round(picture.height * factor)))
        versions.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    return versions


class Crops:
    """Random square crops with flips, drawn by a generator whose state a checkpoint carries."""

    def __init__(self, paths: list[Path], size: int, shrinks: tuple[float, ...], seed: int):
        self.size = size
        with ThreadPoolExecutor() as pool:
            loaded = pool.map(lambda p: _load(p, shrinks, size), paths)
            self.pictures = [version for versions in loaded for version in versions]
        if not self.pictures:
            raise ValueError(f"no picture is at least {size} pixels on both sides")
        area = np.array([p.shape[0] * p.shape[1] for p in self.pictures], dtype=np.float64)
        # Large pictures give more distinct crops, but not in proportion: their content repeats.
        self.weights = np.sqrt(area) / np.sqrt(area).sum()
        self.begin(seed)

    def begin(self, seed: int | tuple[int, ...]) -> None:
        """Start a sequence of crops."""
        self.random = np.random.Generator(np.random.PCG64(seed))

    def _draw(self, count: int) -> list[tuple[int, int, int, bool, bool]]:
        """Picture, top, left, mirrored and turned of each of `count` crops."""
        drawn = []
        for index in self.random.choice(len(self.pictures), count, p=self.weights):
            height, width = self.pictures[index].shape[:2]
            top = self.random.integers(height - self.size + 1)
            left = self.random.integers(width - self.size + 1)
            drawn.append((index, top, left, self.random.random() < 0.5, self.random.random() < 0.25))
        return drawn

    def batch(self, count: int) -> torch.Tensor:
        """`count` crops as uint8, shape (count, 3, size, size), channels last in memory."""
        out = np.empty((count, self.size, self.size, 3), dtype=np.uint8)
        for slot, (index, top, left, mirrored, turned) in enumerate(self._draw(count)):
            crop = self.pictures[index][top : top + self.size, left : left + self.size]
            if mirrored:
                crop = crop[:, ::-1]
            if turned:
                crop = crop.transpose(1, 0, 2)
            out[slot] = crop
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def samples(self, count: int) -> torch.Tensor:
        """The middles of some pictures, always the same, shaped as a batch."""
        chosen = [self.pictures[i * len(self.pictures) // count] for i in range(count)]
        middles = []
        for picture in chosen:
            top, left = ((side - self.size) // 2 for side in picture.shape[:2])
            middles.append(picture[top : top + self.size, left : left + self.size])
        return torch.from_numpy(np.stack(middles)).permute(0, 3, 1, 2)

    def state(self) -> dict:
        """The generator's state, for exact resume."""
        return self.random.bit_generator.state

    def restore(self, state: dict) -> None:
        """Continue the sequence of crops where `state` was taken."""
        self.random.bit_generator.state = state


class DeviceCrops(Crops):
    """The same crops, cut on an accelerator that holds all the pictures: its processor would be the bottleneck."""

    def __init__(self, paths: list[Path], size: int, shrinks: tuple[float, ...], seed: int, device: torch.device):
        super().__init__(paths, size, shrinks, seed)
        self.device = device
        self.pixels = torch.from_numpy(np.concatenate([p.reshape(-1) for p in self.pictures])).to(device)
        ends = np.cumsum([p.size for p in self.pictures])
        self.starts = np.concatenate([[0], ends[:-1]])

    def batch(self, count: int) -> torch.Tensor:
        """As `Crops.batch`, on the device."""
        # Of each crop: where its first sample lies, and how far on the next row and column are.
        places = np.empty((3, count), dtype=np.int64)
        for slot, (index, top, left, mirrored, turned) in enumerate(self._draw(count)):
            row, column = self.pictures[index].shape[1] * 3, 3
            start = self.starts[index] + top * row + left * column
            if mirrored:
                start, column = start + (self.size - 1) * column, -column
            places[:, slot] = (start, column, row) if turned else (start, row, column)
        start, down, right = torch.from_numpy(places).to(self.device, non_blocking=True)[:, :, None, None, None]
        along = torch.arange(self.size, device=self.device)
        at = start + down * along[:, None, None] + right * along[:, None] + torch.arange(3, device=self.device)
        return self.pixels[at].permute(0, 3, 1, 2)
