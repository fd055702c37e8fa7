"""The training part of the data set and the held-out part."""

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # scikit-learn has no stubs

from digits import samples


def test_split_is_fixed_and_shares_nothing() -> None:
    learn, held_out = samples.split(0.2)
    again, held_out_again = samples.split(0.2)
    assert np.array_equal(held_out.grids, held_out_again.grids)
    assert np.array_equal(learn.labels, again.labels)
    assert not rows(learn) & rows(held_out)
    assert len(rows(learn) | rows(held_out)) == len({row.tobytes() for row in load_digits().data})


def test_each_digit_is_held_out_alike() -> None:
    _, held_out = samples.split(0.2)
    counts = np.bincount(held_out.labels, minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 38


def test_enlarging_adds_and_keeps() -> None:
    learn, _ = samples.split(0.2)
    known = samples.Samples(learn.grids[:50], learn.labels[:50])
    more = samples.enlarge(known, copies=2, printed=3, random=np.random.default_rng(0))
    assert more.grids.shape == (50 + 2 * 50 + 3 * 10, 64)
    assert np.array_equal(more.grids[:50], known.grids)
    assert more.labels.tolist() == [
        *known.labels,
        *known.labels,
        *known.labels,
        *range(10),
        *range(10),
        *range(10),
    ]
    assert 0 <= more.grids.min() <= more.grids.max() <= 1


def test_bent_copies_differ_but_not_much() -> None:
    known = samples.split(0.2)[0]
    more = samples.enlarge(known, copies=1, printed=0, random=np.random.default_rng(0))
    originals, bent = np.split(more.grids, 2)
    difference = np.abs(originals - bent).mean(axis=1)
    assert difference.min() > 0
    assert difference.mean() < 0.12


def test_nothing_added_is_nothing_changed() -> None:
    known = samples.split(0.2)[0]
    same = samples.enlarge(known, copies=0, printed=0, random=np.random.default_rng(0))
    assert np.array_equal(same.grids, known.grids)


def rows(part: samples.Samples) -> set[bytes]:
    """Return the pictures with the data set's own values."""
    return {(row * 16).astype(np.float64).tobytes() for row in part.grids}
