"""The drawing of a prediction."""

import io

import numpy as np
from PIL import Image

from digits import drawing


def test_cells_are_drawn_as_ink_on_paper() -> None:
    grid = np.zeros((8, 8))
    grid[2, 5] = 1
    picture = Image.open(io.BytesIO(drawing.draw(grid, [1], [1.0])))
    left, top = drawing.MARGIN_PX + 5 * drawing.CELL_PX, drawing.MARGIN_PX + 2 * drawing.CELL_PX
    assert picture.getpixel((left + 1, top + 1)) == (0, 0, 0)
    assert picture.getpixel((left - 1, top + 1)) == (255, 255, 255)


def test_bars_are_as_long_as_the_probabilities() -> None:
    probabilities = [0.5, 0.25, 0.0]
    picture = Image.open(io.BytesIO(drawing.draw(np.zeros((8, 8)), [3, 8, 5], probabilities))).convert("RGB")
    blue = np.all(np.asarray(picture) == (0x2A, 0x78, 0xC2), axis=2)
    lengths = [
        int(blue[drawing.MARGIN_PX + row * drawing.ROW_PX + drawing.ROW_PX // 2].sum()) - 1
        for row in range(3)
    ]
    assert lengths == [round(share * drawing.BAR_PX) for share in probabilities]


def test_ten_labels_fit() -> None:
    picture = Image.open(io.BytesIO(drawing.draw(np.zeros((8, 8)), list(range(10)), [1.0] * 10)))
    right = np.asarray(picture.convert("L"))[:, -4:]
    bottom = np.asarray(picture.convert("L"))[-4:]
    assert right.min() == bottom.min() == 255
