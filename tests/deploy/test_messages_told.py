"""The messages that the page about troubles quotes are those of the code."""

import re

import deployed
import pytest

PAGE = (deployed.ROOT / "docs" / "operations" / "troubleshooting.md").read_text()
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
SOURCES = "\n".join(path.read_text() for path in sorted((deployed.ROOT / "src").rglob("*.py")))


@pytest.mark.parametrize("message", QUOTED)
def test_message(message: str) -> None:
    """What is between the parts that differ is in the sources."""
    joined = re.sub(r'"\s*f?"', "", SOURCES)
    for part in re.split(r"…|'…'|was killed by SIG\w+", message):
        assert part.strip(" '().:;") in joined
