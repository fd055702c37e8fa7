"""Draws the picture as the model saw it, with a bar for the probability of each label."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits.picture import GRID_CELLS, Ink

CELL_PX = 32
MARGIN_PX = 16
ROW_PX = 24
BAR_PX = 160
LABEL_PX = 24
SHARE_PX = 56
PAPER = "white"
BAR = "#2a78c2"
TEXT = "black"


def draw(grid: Ink, labels: Sequence[int], probabilities: Sequence[float]) -> bytes:
    """Return a PNG: the 8 by 8 cells of ``grid``, and beside them the labels with their probabilities."""
    side = GRID_CELLS * CELL_PX
    width = side + LABEL_PX + BAR_PX + SHARE_PX + 3 * MARGIN_PX
    picture = Image.new("RGB", (width, side + 2 * MARGIN_PX), PAPER)
    picture.paste(_cells(grid), (MARGIN_PX, MARGIN_PX))
    pen = ImageDraw.Draw(picture)
    for row, (label, probability) in enumerate(zip(labels, probabilities, strict=True)):
        _draw_bar(pen, (side + 2 * MARGIN_PX, MARGIN_PX + row * ROW_PX), label, probability)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _cells(grid: Ink) -> Image.Image:
    """Return the grid as dark ink on light paper."""
    levels = Image.fromarray(np.uint8(np.rint((1 - grid) * 255)))
    side = GRID_CELLS * CELL_PX
    return levels.resize((side, side), Image.Resampling.NEAREST)


def _draw_bar(pen: ImageDraw.ImageDraw, corner: tuple[int, int], label: int, probability: float) -> None:
    left, top = corner
    middle = top + ROW_PX // 2
    start = left + LABEL_PX
    end = start + round(probability * BAR_PX)
    font = ImageFont.load_default(size=16)
    pen.text((left, middle), str(label), fill=TEXT, font=font, anchor="lm")
    pen.rectangle((start, top + 4, end, top + ROW_PX - 4), fill=BAR)
    pen.text((end + 6, middle), f"{probability:.1%}", fill=TEXT, font=font, anchor="lm")
