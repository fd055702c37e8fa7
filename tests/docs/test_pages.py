"""Every command in the documentation runs, and prints the output that the page shows."""

import re
from pathlib import Path

import pytest

from runner import page

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
def test_page_runs_as_printed(path: Path, tmp_path: Path) -> None:
    page.run(path, tmp_path)


def test_only_some_pages_have_blocks_that_are_not_run() -> None:
    """Only the pages about other machines have blocks that are not run here."""
    found = {
        str(path.relative_to(DOCS))
        for path in PAGES
        if any(example.parsed.elsewhere for example in page.read(path).examples())
    }
    assert found <= set(ELSEWHERE)
