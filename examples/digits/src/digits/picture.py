"""Converts a picture of one digit to the grid of the data set: 8 by 8 cells, each the share of ink in it.

The data set (UCI Optical Recognition of Handwritten Digits) has bitmaps of 32 by 32 pixels, reduced to blocks
of 4 by 4. Its digits fill the full height, are centred horizontally, and have about the same share of ink,
whatever the pen.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

Ink = NDArray[np.floating[Any]]
"""How much of each pixel or cell is ink, 0 to 1."""
Levels = NDArray[np.uint8]

GRID_CELLS = 8
# The formats of cameras, browsers and drawing programs. Pillow reads more, some of it by running programs.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 64_000_000
# A digit needs a few dozen pixels; more only cost time.
MAX_SIDE_PX = 1024
# Weaker contrasts come from JPEG artefacts and paper, not from a pen. Out of 255.
MIN_CONTRAST = 24
# The working height of a digit: eight pixels per cell, enough to thicken a stroke in small steps.
BOX_PX = 64
# The mean of the data set's pictures, which vary little.
SHARE_OF_INK = 0.30
# A wide digit is squeezed at most to this share of its width, like those of the data set.
MIN_SQUEEZE = 0.8
# The width of the widest common digits in the data set: six of eight cells.
USUAL_WIDTH_PX = 48
# This share of the ink may lie outside the crop on each side, so that dust does not affect the crop.
DUST = 0.003
MAX_STROKE_STEPS = 10


class UnusablePictureError(ValueError):
    """The picture cannot be read, or is blank. The text is one line."""


def read_grid(path: str | Path) -> Ink:
    """Read the picture at ``path`` and return its digit as the model sees it.

    Returns an array of shape (8, 8), values 0 (paper) to 1 (ink). Raises ``UnusablePictureError``.
    """
    return grid_of(ink_of(open_picture(path)))


def open_picture(path: str | Path) -> Image.Image:
    """Read a picture in one of ``FORMATS``, upright, as RGBA, at most 1024 pixels wide and high.

    Raises ``UnusablePictureError``.
    """
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with Image.open(content, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusablePictureError(
                    f"The picture has {image.width} x {image.height} pixels; send one of at most 64 million."
                )
            upright = ImageOps.exif_transpose(_eight_bits(image)).convert("RGBA")
    # Pillow's readers of damaged files raise all of these.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, UnusablePictureError):
            raise
        raise UnusablePictureError(
            f"The file can't be read as a picture; send one of {', '.join(FORMATS)}."
        ) from error
    upright.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.BOX)
    return upright


def ink_of(picture: Image.Image) -> Ink:
    """Separate ink from paper, whatever their colours, in an RGBA picture.

    Returns an array of shape (height, width). Raises ``UnusablePictureError`` for a blank picture.
    """
    distance = _distance_from_paper(_composite(picture, "white"))
    if picture.getchannel("A").getextrema() != (255, 255):
        # A drawing on transparency has no paper. Assume white, unless the ink itself is nearly white.
        on_black = _distance_from_paper(_composite(picture, "black"))
        distance = distance if distance.max() >= on_black.max() / 2 else on_black
    if distance.max() < MIN_CONTRAST:
        raise UnusablePictureError(
            "The picture is blank; draw one digit that stands out from its background."
        )
    threshold = _threshold(distance)
    ink: Ink = np.clip(distance / np.float32(threshold) - np.float32(0.5), 0, 1)
    return ink


def grid_of(ink: Ink) -> Ink:
    """Normalise the size, position and thickness of the digit in ``ink`` (height, width).

    Returns an array of shape (8, 8). Ink must not be zero everywhere.
    """
    digit = _box(ink)
    thin = _cells(digit).mean() < SHARE_OF_INK
    step = ImageFilter.MaxFilter(3) if thin else ImageFilter.MinFilter(3)
    # Add a margin, because strokes grow outwards too.
    stroke = _image(np.pad(digit, 2 * MAX_STROKE_STEPS))
    best = grid = _cells(digit)
    for _ in range(MAX_STROKE_STEPS):
        stroke = stroke.filter(step)
        if not stroke.getbbox():
            break
        grid = _cells(_box(_array(stroke)))
        best = min(best, grid, key=_distance_from_usual_share)
        if (grid.mean() < SHARE_OF_INK) != thin:
            break
    return best


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16- and 32-bit greys to 0 to 255: Pillow's own conversion clips everything above 255."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;"):
        return image
    levels = np.asarray(image, dtype=np.float32)
    low, high = levels.min(), levels.max()
    return _image((levels - low) / max(high - low, 1))


def _composite(picture: Image.Image, paper: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, paper), picture).convert("RGB")


def _distance_from_paper(picture: Image.Image) -> Levels:
    """Return how far each pixel's colour is from the border's colour, 0 to 255.

    It is the maximum over the three channels, so that red on green counts as much as black on white.
    """
    levels = np.asarray(picture, dtype=np.int16)
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    paper = np.median(border, axis=0).astype(np.int16)
    distance: Levels = np.abs(levels - paper).max(axis=2).astype(np.uint8)
    return distance


def _threshold(distance: Levels) -> float:
    """Return the level halfway between the mean of the paper and the mean of the ink."""
    pixels = np.bincount(distance.ravel(), minlength=256)
    levels = np.arange(256)
    threshold = float(distance.max()) / 2
    # Each mean depends on the threshold; this converges within a few rounds.
    for _ in range(10):
        ink = levels > threshold
        means = (np.average(levels[part], weights=pixels[part]) for part in (ink, ~ink))
        threshold = float(sum(means)) / 2
    return threshold


def _box(ink: Ink) -> Ink:
    """Crop to the digit and scale it to the box's height, at most as wide as high.

    Returns an array of shape (64 or less, 64 or less), its darkest pixels about 1.
    """
    rows, columns = _extent(ink.sum(axis=1)), _extent(ink.sum(axis=0))
    digit = ink[rows, columns]
    height, width = digit.shape
    natural_px = width * BOX_PX / height
    width_px = min(max(USUAL_WIDTH_PX, natural_px * MIN_SQUEEZE), natural_px)
    height_px = BOX_PX * min(1.0, BOX_PX / width_px)
    size = max(1, round(min(width_px, BOX_PX))), max(1, round(height_px))
    scaled = _array(_image(digit).resize(size, Image.Resampling.HAMMING))
    # A hairline in a big picture fades when scaled down: restore its darkness.
    darkest = max(float(np.quantile(scaled[scaled > 0], 0.9)), 1e-3)
    boxed: Ink = np.clip(scaled / darkest, 0, 1)
    return boxed


def _extent(ink_per_line: Ink) -> slice:
    """Return the extent of the ink along one axis, ignoring dust."""
    share = np.cumsum(ink_per_line) / ink_per_line.sum()
    first, last = np.searchsorted(share, [DUST, 1 - DUST])
    return slice(int(first), int(min(last, len(share) - 1)) + 1)


def _cells(digit: Ink) -> Ink:
    """Centre the digit in the box and return the mean of each of its 8 by 8 cells."""
    box = np.zeros((BOX_PX, BOX_PX), dtype=np.float32)
    height, width = digit.shape
    top, left = (BOX_PX - height) // 2, (BOX_PX - width) // 2
    box[top : top + height, left : left + width] = digit
    side = BOX_PX // GRID_CELLS
    grid: Ink = box.reshape(GRID_CELLS, side, GRID_CELLS, side).mean(axis=(1, 3))
    return grid


def _distance_from_usual_share(grid: Ink) -> float:
    return abs(float(grid.mean()) - SHARE_OF_INK)


def _image(ink: Ink) -> Image.Image:
    return Image.fromarray(np.uint8(np.rint(ink * 255)))


def _array(image: Image.Image) -> Ink:
    return np.asarray(image, dtype=np.float32) / 255
