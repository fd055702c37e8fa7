"""Conversion of uploads to grids: which digits are recognised, and which files are refused."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.fitting import Fit
from digits.picture import GRID_CELLS, Ink, UnusablePictureError, grid_of, ink_of, open_picture, read_grid
from drawn import BLACK, WHITE, Look, paint, type_digit, write_digit

SIZES = [(28, 28), (64, 64), (200, 200), (240, 500), (1000, 700)]
RED, GREEN, BLUE, YELLOW, GREY = (200, 20, 30), (0, 150, 60), (10, 30, 160), (250, 230, 60), (120, 120, 120)
LOOKS = [
    Look(BLACK, WHITE, "RGB"),
    Look(WHITE, BLACK, "RGB"),
    Look(BLACK, WHITE, "L"),
    Look(WHITE, BLACK, "1"),
    Look(RED, GREEN, "RGB"),
    Look(YELLOW, BLUE, "P"),
    Look(BLUE, YELLOW, "RGBA"),
    Look(BLACK, GREY, "RGB"),
    Look(WHITE, GREY, "RGB"),
    Look(BLACK, None, "RGBA"),
    Look(WHITE, None, "RGBA"),
    Look(WHITE, None, "LA"),
    Look(RED, None, "RGBA"),
]
# Big pictures take longer and exercise the same code for colours, so a subset of the looks suffices.
CASES = [(size, look) for look in LOOKS for size in SIZES if size[0] <= 200 or look in LOOKS[1::4]]


@pytest.mark.parametrize(("size", "look"), CASES)
def test_typed_digits_are_recognised(
    default_fit: Fit, tmp_path: Path, size: tuple[int, int], look: Look
) -> None:
    """At least nine of the ten digits of a font that the network never saw, in any look."""
    pictures = [paint(type_digit(digit, size), look) for digit in range(10)]
    assert recognised(default_fit, pictures, tmp_path) >= 9


@pytest.mark.parametrize(("size", "look"), CASES)
def test_written_digits_are_recognised(
    default_fit: Fit, tmp_path: Path, size: tuple[int, int], look: Look
) -> None:
    """At least nine of the ten digits written with a pen, in any look."""
    pictures = [paint(write_digit(digit, size), look) for digit in range(10)]
    assert recognised(default_fit, pictures, tmp_path) >= 9


@pytest.mark.parametrize(("pen", "slant"), list(product([0.02, 0.05, 0.12, 0.16], [-0.1, 0.0, 0.25])))
def test_thickness_and_slant_of_the_pen_do_not_matter(
    default_fit: Fit, tmp_path: Path, pen: float, slant: float
) -> None:
    pictures = [paint(write_digit(digit, (200, 200), pen, slant)) for digit in range(10)]
    assert recognised(default_fit, pictures, tmp_path) >= 9


def test_place_in_the_picture_does_not_matter() -> None:
    mask = write_digit(5, (100, 100))
    corner = Image.new("L", (400, 300))
    corner.paste(mask, (290, 10))
    assert grid(paint(corner)) == pytest.approx(grid(paint(mask)), abs=0.02)


def test_colours_and_polarity_do_not_matter() -> None:
    mask = write_digit(7, (120, 90))
    expected = grid(paint(mask))
    for look in LOOKS:
        if look.mode not in {"P", "1"}:
            assert grid(paint(mask, look)) == pytest.approx(expected, abs=0.05), (look,)


def test_grid_is_like_the_data_set() -> None:
    """The digit touches top and bottom, is centred, and has the usual share of ink."""
    for digit in range(10):
        cells = grid(paint(write_digit(digit, (300, 200)))).reshape(GRID_CELLS, GRID_CELLS)
        assert cells[0].max() > 0.3
        assert cells[-1].max() > 0.3
        columns = np.flatnonzero(cells.max(axis=0) > 0.1)
        assert columns[0] + columns[-1] == pytest.approx(GRID_CELLS - 1, abs=1)
        assert cells.mean() == pytest.approx(0.3, abs=0.06)


def test_dust_does_not_move_the_digit() -> None:
    clean = paint(write_digit(2, (200, 200)))
    dusty = clean.copy()
    for place in ((3, 5), (190, 8), (12, 195)):
        dusty.putpixel(place, BLACK)
    assert grid(dusty) == pytest.approx(grid(clean), abs=0.05)


def test_picture_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    upright = paint(write_digit(4, (90, 60)))
    path = tmp_path / "turned.png"
    turned = Image.Exif()
    turned[0x0112] = 6
    upright.rotate(90, expand=True).save(path, exif=turned)
    assert open_picture(path).convert("RGB").tobytes() == upright.tobytes()


def test_deep_greys_keep_their_levels(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    mask = write_digit(6, (80, 80))
    Image.fromarray(np.asarray(mask, dtype=np.uint16) * 16 + 4000).save(path)
    assert read_grid(path).ravel() == pytest.approx(grid(paint(mask)), abs=0.05)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
def test_usual_formats_are_read(tmp_path: Path, suffix: str) -> None:
    mask = write_digit(9, (120, 120))
    path = tmp_path / f"digit.{suffix}"
    paint(mask).save(path)
    assert read_grid(path).ravel() == pytest.approx(grid(paint(mask)), abs=0.1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (40, 40)])
def test_blank_picture_is_refused(mode: str, size: tuple[int, int]) -> None:
    with pytest.raises(UnusablePictureError, match="blank"):
        grid(Image.new(mode, size))


def test_noise_of_blank_paper_is_blank() -> None:
    noise = np.random.default_rng(0).integers(235, 250, size=(80, 80), dtype=np.uint8)
    with pytest.raises(UnusablePictureError, match="blank"):
        grid(Image.fromarray(noise))


WHOLE = (Path(__file__).parents[1] / "three.png").read_bytes()
UNREADABLE = {
    "empty": b"",
    "text": b"label;value\n3;17\n",
    "header": WHOLE[:200],
    "half": WHOLE[: len(WHOLE) // 2],
    # Pillow could read it by running an external program.
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
}


@pytest.mark.parametrize("content", list(UNREADABLE.values()), ids=list(UNREADABLE))
def test_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "upload.png"
    path.write_bytes(content)
    with pytest.raises(UnusablePictureError, match="can't be read as a picture") as raised:
        read_grid(path)
    assert "\n" not in str(raised.value)


def test_huge_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (8001, 8000)).save(path)
    with pytest.raises(UnusablePictureError, match="8001 x 8000"):
        read_grid(path)


def test_missing_file_is_not_blamed_on_the_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_grid(tmp_path / "nowhere.png")


def grid(picture: Image.Image) -> Ink:
    return grid_of(ink_of(picture.convert("RGBA"))).ravel()


def recognised(fitted: Fit, pictures: list[Image.Image], folder: Path) -> int:
    """Return how many of the ten pictures, 0 to 9, are recognised after being saved as PNG files."""
    grids = []
    for digit, picture in enumerate(pictures):
        path = folder / f"{digit}.png"
        picture.save(path)
        grids.append(read_grid(path))
    guesses = fitted.network.probabilities(np.array(grids)).argmax(axis=1)
    return int((guesses == np.arange(10)).sum())
