"""The pictures for training and evaluation: the split, and augmentation of the training part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from digits import shapes
from digits.picture import GRID_CELLS, Ink

Labels = NDArray[np.int64]

# Fixed, independent of a training's seed: all trainings with the same share hold out the same pictures.
SPLIT_SEED = 0
# A cell is enlarged to this many pixels before a picture is distorted.
CELL_PX = 4


@dataclass(frozen=True)
class Samples:
    """Pictures of shape (n, 64), values 0 to 1, and their n labels."""

    grids: Ink
    labels: Labels


def split(test_share: float) -> tuple[Samples, Samples]:
    """Split the bundled data set, stratified by digit, into a training part and a held-out part."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # scikit-learn has no stubs
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # as above

    pixels, labels = load_digits(return_X_y=True)
    grids = pixels.astype(np.float32) / 16
    learn, held_out, learn_labels, held_out_labels = train_test_split(
        grids, labels, test_size=test_share, stratify=labels, random_state=SPLIT_SEED
    )
    return Samples(learn, learn_labels), Samples(held_out, held_out_labels)


def enlarge(samples: Samples, copies: int, printed: int, random: np.random.Generator) -> Samples:
    """Add ``copies`` distorted versions of each picture, and ``printed`` drawings of each digit."""
    bent = [_bend(grid, random) for _ in range(copies) for grid in samples.grids]
    drawn = [shapes.draw_grid(digit, random) for _ in range(printed) for digit in range(10)]
    added = np.array([*bent, *drawn], dtype=np.float32).reshape(-1, GRID_CELLS**2)
    labels = [np.tile(samples.labels, copies), np.tile(np.arange(10), printed)]
    return Samples(np.concatenate([samples.grids, added]), np.concatenate([samples.labels, *labels]))


def _bend(grid: Ink, random: np.random.Generator) -> Ink:
    """Rotate, slant, scale, shift and thicken or thin one picture a little."""
    side = GRID_CELLS * CELL_PX
    cells = Image.fromarray(np.uint8(grid.reshape(GRID_CELLS, GRID_CELLS) * 255))
    image = cells.resize((side, side), Image.Resampling.BICUBIC)
    turn, slant, scale = random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15), random.uniform(0.92, 1.08)
    matrix = np.array([[1, slant - turn], [turn, 1]]) / scale
    # around the centre of the picture, not its corner
    shift = side / 2 - matrix @ np.full(2, side / 2) + random.uniform(-1, 1, size=2)
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1])
    image = image.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    strokes = (ImageFilter.MaxFilter(3), ImageFilter.MinFilter(3), None, None)[random.integers(4)]
    if strokes is not None:
        image = Image.blend(image, image.filter(strokes), 0.5)
    small = image.resize((GRID_CELLS, GRID_CELLS), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255
