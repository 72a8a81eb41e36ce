"""The scale on which a metric is plotted and interpolated."""

import math


def on_scale(metric: str, value: float) -> float:
    """MS-SSIM crowds just below one; decibels, −10 log10(1 − MS-SSIM), spread it. Others stay."""
    if metric != "ms_ssim":
        return value
    return -10 * math.log10(max(1 - value, 1e-9))
