"""Everything that the documentation says to type is typed, and what it shows is what comes."""

import re
from pathlib import Path

import pytest

from newcomer import page

pytestmark = pytest.mark.slow
DOCS = page.CHECKOUT / "docs"
ELSEWHERE = ("operations/deploy.md", "operations/cluster.md")
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if "_build" not in path.parts and re.search(r"^\s*(```|~~~)", path.read_text(), re.MULTILINE)
)


def name_of(path: Path) -> str:
    return str(path.relative_to(page.CHECKOUT))


@pytest.mark.parametrize("path", [page.CHECKOUT / "README.md", *PAGES], ids=name_of)
def test_page(path: Path, tmp_path: Path) -> None:
    """Every block of a page runs, and every output is as the page shows it."""
    page.run(path, tmp_path)


def test_what_cannot_run_here() -> None:
    """Only the pages on other machines say what is not run here."""
    found = {
        str(path.relative_to(DOCS))
        for path in PAGES
        if any(example.parsed.elsewhere for example in page.read(path).examples())
    }
    assert found <= set(ELSEWHERE)
