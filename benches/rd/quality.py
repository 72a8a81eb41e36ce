"""The scale on which a metric is plotted and interpolated: higher is better, equal steps look alike."""

import math


def on_scale(metric: str, value: float) -> float:
    """MS-SSIM crowds just below one; decibels, −10 log10(1 − MS-SSIM), spread it.

    Butteraugli counts down to 0: its negative logarithm of base 2. Others stay.
    """
    if metric == "ms_ssim":
        return -10 * math.log10(max(1 - value, 1e-9))
    if metric == "butteraugli":
        return -math.log2(max(value, 1e-3))
    return value
