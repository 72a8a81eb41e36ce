"""BD-rates of every pair that is reported, and the Markdown table."""

from statistics import fmean

from bdrate import bd_rate
from quality import on_scale
from score import METRICS

ANCHOR = "jpeg"
"""What the peers are themselves compared with, to show where each stands."""


def bd_rates(curves: dict[str, dict[str, list[dict]]]) -> dict:
    """Mean per-picture BD-rate by tested codec, anchor and metric."""
    pairs = [(test, ANCHOR) for test in curves if test not in (ANCHOR, "pinhole")]
    if "pinhole" in curves:
        pairs += [("pinhole", anchor) for anchor in curves if anchor != "pinhole"]
    rates: dict = {}
    for test, anchor in pairs:
        found = {m.name: _mean_bd_rate(curves[anchor], curves[test], m) for m in METRICS}
        rates.setdefault(test, {})[anchor] = found
    return rates


def _mean_bd_rate(anchor: dict, test: dict, metric) -> dict:
    each = {}
    for picture in test:
        each[picture] = bd_rate(
            _points(anchor[picture], metric.name),
            _points(test[picture], metric.name),
            metric.bd_range,
        )
    known = [value for value in each.values() if value is not None]
    return {"mean": fmean(known) if known else None, "pictures": len(known), "each": each}


def _points(curve: list[dict], metric: str) -> list[tuple[float, float]]:
    # A lossless point has no finite PSNR and no place on a curve.
    return [(p["bpp"], on_scale(metric, p[metric])) for p in curve if p[metric] is not None]


def markdown(results: dict) -> str:
    """Tables of BD-rates and the settings that they hold for."""
    lines = [f"# Rate-distortion on {len(results['pictures'])} pictures", ""]
    lines += [
        "Mean over the pictures of each one's BD-rate: bytes more (+) or fewer (−) at equal "
        "quality. PSNR is over RGB; MS-SSIM is the mean of the three colours', interpolated in "
        "decibels; SSIMULACRA2 counts between 30 and 85; Butteraugli is the 3-norm, interpolated "
        "in its logarithm. A mean over fewer pictures than all tells how many.",
        "",
    ]
    for test, anchors in _tables(results["bd_rate"]).items():
        lines += _table(results, test, anchors)
    lines += ["| codec | version and settings |", "| --- | --- |"]
    lines += [f"| {c['label']} | {c['settings']} |" for c in results["codecs"].values()]
    return "\n".join(lines) + "\n"


def _tables(rates: dict) -> dict:
    """Pinhole first, then the peers against the common anchor."""
    order = sorted(rates, key=lambda test: test != "pinhole")
    return {test: rates[test] for test in order}


def _table(results: dict, test: str, anchors: dict) -> list[str]:
    label = results["codecs"][test]["label"]
    metrics = [metric["label"] for metric in results["metrics"].values()]
    lines = [f"| {label} against | {' | '.join(metrics)} |", "| --- |" + " ---: |" * len(metrics)]
    for anchor, by_metric in anchors.items():
        cells = [
            _cell(by_metric[metric], len(results["pictures"])) for metric in results["metrics"]
        ]
        lines.append(f"| {results['codecs'][anchor]['label']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(found: dict, pictures: int) -> str:
    if found["mean"] is None:
        return "n/a"
    text = f"{found['mean']:+.1f} %".replace("-", "−")
    return text if found["pictures"] == pictures else f"{text} ({found['pictures']})"
