"""Draws pictures of digits for the tests and the README, with Pillow, from a font or from pen strokes.

``python tests/drawn.py three.png`` draws the picture that the README sends.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


class Look(NamedTuple):
    """The colours of a picture and its Pillow mode. Without ``paper``, the background is transparent."""

    ink: Colour = BLACK
    paper: Colour | None = WHITE
    mode: str = "RGB"


# A digit is one or more strokes. A stroke is a path of points, x to the right and y downwards, within 0..1.
# The pen rounds the corners.
# within 0..1. The pen rounds the corners between them.
STROKES: dict[int, list[list[Point]]] = {
    0: [
        [
            *[(0.5, 0.02), (0.2, 0.1), (0.1, 0.5), (0.2, 0.9), (0.5, 0.98)],
            *[(0.8, 0.88), (0.88, 0.5), (0.78, 0.1), (0.48, 0.02)],
        ]
    ],
    1: [[(0.25, 0.3), (0.6, 0.0)], [(0.6, 0.0), (0.57, 0.5), (0.56, 1.0)]],
    2: [
        [(0.15, 0.25), (0.3, 0.03), (0.65, 0.02), (0.8, 0.28), (0.6, 0.6), (0.1, 0.97)],
        [(0.1, 0.97), (0.5, 0.94), (0.9, 0.97)],
    ],
    3: [
        [(0.18, 0.12), (0.5, 0.0), (0.85, 0.1), (0.8, 0.36), (0.45, 0.46)],
        [(0.45, 0.46), (0.85, 0.55), (0.9, 0.85), (0.5, 1.0), (0.12, 0.88)],
    ],
    4: [
        [(0.5, 0.0), (0.3, 0.35), (0.08, 0.65)],
        [(0.08, 0.65), (0.5, 0.64), (0.95, 0.62)],
        [(0.68, 0.3), (0.66, 0.65), (0.62, 1.0)],
    ],
    5: [
        [(0.85, 0.02), (0.5, 0.03), (0.22, 0.03)],
        [(0.22, 0.03), (0.18, 0.42)],
        [(0.18, 0.42), (0.55, 0.36), (0.88, 0.55), (0.82, 0.9), (0.5, 1.0), (0.12, 0.92)],
    ],
    6: [
        [
            *[(0.7, 0.0), (0.35, 0.2), (0.12, 0.6), (0.2, 0.95), (0.55, 1.0)],
            *[(0.86, 0.84), (0.75, 0.56), (0.4, 0.54), (0.16, 0.72)],
        ]
    ],
    7: [
        [(0.1, 0.04), (0.5, 0.03), (0.88, 0.03)],
        [(0.88, 0.03), (0.62, 0.45), (0.42, 1.0)],
        [(0.35, 0.5), (0.8, 0.48)],
    ],
    8: [
        [
            *[(0.82, 0.16), (0.5, 0.0), (0.2, 0.15), (0.3, 0.38), (0.7, 0.6), (0.82, 0.85)],
            *[(0.5, 1.0), (0.2, 0.86), (0.3, 0.6), (0.68, 0.38), (0.82, 0.16)],
        ]
    ],
    9: [
        [(0.8, 0.2), (0.5, 0.02), (0.2, 0.15), (0.22, 0.42), (0.55, 0.5), (0.8, 0.3), (0.82, 0.18)],
        [(0.82, 0.18), (0.84, 0.6), (0.74, 0.9), (0.5, 1.0), (0.25, 0.93)],
    ],
}


def type_digit(digit: int, size: tuple[int, int]) -> Image.Image:
    """Return a mask (mode L, 255 where ink is) of ``size`` in pixels, with the digit in Pillow's own font."""
    mask = Image.new("L", size)
    font = ImageFont.load_default(size=round(0.7 * min(size[1], 1.4 * size[0])))
    ImageDraw.Draw(mask).text((size[0] / 2, size[1] / 2), str(digit), fill=255, font=font, anchor="mm")
    return mask


def write_digit(digit: int, size: tuple[int, int], pen: float = 0.08, slant: float = 0.0) -> Image.Image:
    """Return a mask like ``type_digit``, drawn with a round pen; ``pen`` is its width per height."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    height = 0.7 * size[1]
    width = min(0.75 * height, 0.9 * size[0])
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    radius = max(1.0, pen * size[1]) / 2
    for stroke in STROKES[digit]:
        points = [(left + width * (x + slant * (0.5 - y)), top + height * y) for x, y in _rounded(stroke)]
        draw.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def paint(mask: Image.Image, look: Look | None = None) -> Image.Image:
    """Return the picture of ``mask`` in this look; by default black on white."""
    ink, paper, mode = look or Look()
    if paper is None:
        picture = Image.new("RGBA", mask.size, (*ink, 0))
        picture.putalpha(mask)
    else:
        picture = Image.composite(Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, paper), mask)
    return picture.convert(mode)


def _rounded(points: list[Point], times: int = 3) -> list[Point]:
    """Cut the corners (Chaikin's algorithm); the ends stay in place."""
    for _ in range(times):
        cut = [
            (far * a[0] + (1 - far) * b[0], far * a[1] + (1 - far) * b[1])
            for a, b in pairwise(points)
            for far in (0.75, 0.25)
        ]
        points = [points[0], *cut, points[-1]]
    return points


if __name__ == "__main__":
    navy_on_cream = Look((24, 36, 92), (250, 248, 240))
    paint(write_digit(3, (200, 200), slant=0.1), navy_on_cream).save(Path(sys.argv[1]))
