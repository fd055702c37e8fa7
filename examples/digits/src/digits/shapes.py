"""Printed digits, drawn from lines and arcs with random pens.

The data set contains only handwriting: its 1, 6 and 9 have little in common with printed ones. No font is
used, so fonts remain unseen and can serve for evaluation.
"""

from math import cos, radians, sin

import numpy as np
from PIL import Image, ImageDraw

from digits.picture import Ink, grid_of

Point = tuple[float, float]
Stroke = list[Point]

HEIGHT_PX = 96
MARGIN_PX = 40


def draw_grid(digit: int, random: np.random.Generator) -> Ink:
    """Draw one digit, differently each time; return it as the model sees it: shape (8, 8), 0 to 1."""
    pen_px = int(random.uniform(0.06, 0.28) * HEIGHT_PX)
    width_px = random.uniform(0.42, 0.8) * HEIGHT_PX
    slant = random.uniform(-0.08, 0.22)
    image = Image.new("L", (2 * MARGIN_PX + HEIGHT_PX, 2 * MARGIN_PX + HEIGHT_PX))
    draw = ImageDraw.Draw(image)
    for stroke in strokes(digit, random):
        points = [
            (MARGIN_PX + width_px * x + HEIGHT_PX * slant * (1 - y), MARGIN_PX + HEIGHT_PX * y)
            for x, y in stroke
        ]
        draw.line(points, fill=255, width=pen_px, joint="curve")
    return grid_of(np.asarray(image, dtype=np.float32) / 255)


def strokes(digit: int, random: np.random.Generator) -> list[Stroke]:
    """Return the strokes of one digit in a unit square, x to the right and y downwards."""
    waist = random.uniform(0.42, 0.54)
    match digit:
        case 0:
            return [arc((0.5, 0.5), (0.5, 0.5), 0, 360)]
        case 1:
            return _one(random)
        case 2:
            return [[*arc((0.5, 0.28), (0.46, 0.28), 190, 395), (0.04, 1), (1, 1)]]
        case 3:
            top, bottom = waist / 2, (1 + waist) / 2
            return [
                arc((0.46, top), (0.46, top), 205, 450),
                arc((0.46, bottom), (0.5, 1 - bottom), 270, 515),
            ]
        case 4:
            bar, stem = random.uniform(0.62, 0.76), random.uniform(0.66, 0.8)
            return [[(stem, 1), (stem, 0), (0, bar), (1, bar)]]
        case 5:
            return [[(0.9, 0), (0.16, 0), (0.1, 0.46), *arc((0.46, 0.67), (0.5, 0.33), 230, 510)]]
        case 6:
            return _six(random)
        case 7:
            return [[(0, 0), (1, 0), (random.uniform(0.2, 0.5), 1)]]
        case 8:
            return [
                arc((0.5, waist / 2), (0.44, waist / 2), 0, 360),
                arc((0.5, (1 + waist) / 2), (0.5, (1 - waist) / 2), 0, 360),
            ]
        case _:
            return [[(1 - x, 1 - y) for x, y in stroke] for stroke in _six(random)]


def arc(centre: Point, radii: Point, start_deg: float, end_deg: float) -> Stroke:
    """Return points on an ellipse, clockwise from ``start_deg``; 0 degrees is to the right."""
    return [
        (centre[0] + radii[0] * cos(radians(angle)), centre[1] + radii[1] * sin(radians(angle)))
        for angle in np.linspace(start_deg, end_deg, 16)
    ]


def _one(random: np.random.Generator) -> list[Stroke]:
    flag = random.uniform(0, 0.5)
    stem: Stroke = [(0.5 - flag, flag * random.uniform(0.3, 0.8)), (0.5, 0), (0.5, 1)]
    half_foot = random.uniform(0.3, 0.5)
    foot: Stroke = [(0.5 - half_foot, 1), (0.5 + half_foot, 1)]
    return [stem, foot] if random.random() < 0.5 else [stem]


def _six(random: np.random.Generator) -> list[Stroke]:
    """Return a loop, and an arc that starts at its left and curves over the top."""
    loop = random.uniform(0.3, 0.36)
    return [
        arc((0.5, 1 - loop), (0.48, loop), 0, 360),
        arc((0.58, 0.58), (0.56, 0.58), 165, random.uniform(285, 325)),
    ]
