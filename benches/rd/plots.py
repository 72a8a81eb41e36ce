"""Rate-distortion curves and BD-rate bars as SVG."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from quality import on_scale  # noqa: E402
from score import METRICS, Metric  # noqa: E402

COLOURS = {
    "jpeg": "#8a8a8a",
    "webp": "#2a9d8f",
    "avif-420": "#7b5ea7",
    "avif-444": "#b08bd6",
    "jpegxl": "#e08e1b",
    "pinhole": "#d1243a",
}

plt.rcParams.update(
    {
        # The same results give the same file.
        "svg.hashsalt": "pinhole",
        "font.size": 10,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": "#e3e3e3",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def draw_all(results: dict, folder: Path, published: dict) -> None:
    """`published`: mean curves of others on the same pictures, by label."""
    for metric in METRICS:
        path = folder / f"rd-{metric.name.replace('_', '-')}.svg"
        _draw_curves(results, metric, path, published)
    if "pinhole" in results["bd_rate"]:
        _draw_bars(results, folder / "bd-rate.svg")


def _draw_curves(results: dict, metric: Metric, path: Path, published: dict) -> None:
    """Each codec's curve, averaged over the pictures at each setting."""
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    for style, (label, curve) in zip(("--", "-.", ":"), published.items()):
        if metric.name in curve:
            quality = [on_scale(metric.name, value) for value in curve[metric.name]]
            axes.plot(curve["bpp"], quality, style, color="#777777", linewidth=1.2, label=label)
    for codec, by_picture in results["curves"].items():
        bpp, quality = mean_curve(list(by_picture.values()), metric.name)
        ours = codec == "pinhole"
        axes.plot(
            bpp,
            quality,
            marker="o",
            markersize=3,
            linewidth=2.4 if ours else 1.4,
            zorder=3 if ours else 2,
            color=COLOURS.get(codec),
            label=results["codecs"][codec]["label"],
        )
    axes.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0.08, 3)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel(f"{metric.label}, {metric.unit}" if metric.unit else metric.label)
    if metric.bd_range:
        axes.set_ylim(0, 95)
    axes.set_title(f"{metric.label}, mean of {len(results['pictures'])} pictures")
    axes.legend(frameon=False, fontsize=9)
    _save(figure, path)


def mean_curve(curves: list[list[dict]], metric: str) -> tuple[list[float], list[float]]:
    """Mean rate and mean quality at each setting, over the pictures that have a finite score."""
    bpp, quality = [], []
    for points in zip(*curves, strict=True):
        finite = [p for p in points if p[metric] is not None]
        if finite:
            bpp.append(float(np.mean([p["bpp"] for p in finite])))
            quality.append(float(np.mean([on_scale(metric, p[metric]) for p in finite])))
    return bpp, quality


def _draw_bars(results: dict, path: Path) -> None:
    """How much smaller Pinhole's files are, by peer and metric."""
    anchors = results["bd_rate"]["pinhole"]
    figure, axes = plt.subplots(figsize=(6.4, 0.5 + 0.75 * len(anchors)))
    height = 0.8 / len(METRICS)
    shades = ["#f0c2c7", "#e38f99", "#d1243a", "#8c1526"]
    for index, metric in enumerate(METRICS):
        values = [anchors[anchor][metric.name]["mean"] for anchor in anchors]
        places = np.arange(len(anchors)) + (index - (len(METRICS) - 1) / 2) * height
        known = [(place, value) for place, value in zip(places, values) if value is not None]
        bars = axes.barh(
            [place for place, _ in known],
            [value for _, value in known],
            height,
            color=shades[index],
            label=metric.label,
        )
        axes.bar_label(bars, fmt="%+.0f %%", padding=3, fontsize=8)
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.margins(x=0.15)
    axes.set_yticks(
        np.arange(len(anchors)), [results["codecs"][anchor]["label"] for anchor in anchors]
    )
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Pinhole's bytes at equal quality, change in %")
    axes.legend(frameon=False, fontsize=9)
    _save(figure, path)


def _save(figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
