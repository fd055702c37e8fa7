"""Links work: local ones point to existing files and headings, others to public addresses."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runner.page import CHECKOUT

PAGES = [
    *(CHECKOUT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")),
    *sorted(path for path in (CHECKOUT / "docs").rglob("*.md") if "_build" not in path.parts),
]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"|<(https?://[^>]+)>")
LOCAL = ("127.0.0.1", "localhost")


def links(path: Path) -> list[str]:
    """Return the links of a page outside its code."""
    prose = re.sub(r"^( *)(```|~~~).*?^\1\2", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"`[^`\n]+`", "", prose)
    return [next(filter(None, found)) for found in LINK.findall(prose)]


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page: those that GitHub and MyST generate, and explicit ones."""
    text = path.read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_of_a_page_exist(path: Path) -> None:
    for link in links(path):
        parts = urlsplit(link)
        if parts.scheme:
            assert is_address(link), link
            continue
        target = path.parent / parts.path if parts.path else path
        assert target.exists(), link
        if parts.fragment and target.suffix == ".md" and target.is_relative_to(CHECKOUT):
            assert parts.fragment in anchors(target), link


def is_address(link: str) -> bool:
    """Return whether any reader could reach the address."""
    parts = urlsplit(link)
    if parts.scheme == "mailto":
        return "@" in parts.path
    host = parts.hostname or ""
    public = re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", host) and not host.endswith((".local", ".internal"))
    return (parts.scheme == "https" and bool(public)) or (parts.scheme == "http" and host in LOCAL)


def test_addresses() -> None:
    """Private hosts, IP addresses and malformed URLs are not addresses."""
    assert is_address("https://docs.python.org/3/")
    assert not is_address("https://git.internal/x")
    assert not is_address("https://10.0.0.1/")
    assert not is_address("http:/typo")
