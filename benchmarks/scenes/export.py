"""Writing pictures and truth."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def contact_sheet(rgb: Tensor, columns: int = 8, gap: int = 2) -> NDArray[np.uint8]:
    """Lay (B, 3, H, W) pictures in [0, 1] out in rows; returns uint8 (rows, columns, 3)."""
    b, _, h, w = rgb.shape
    columns = min(columns, b)
    rows = -(-b // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    pictures = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    for i, picture in enumerate(pictures):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y : y + h, x : x + w] = picture
    return sheet
