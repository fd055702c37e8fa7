"""The messages quoted in the troubleshooting page exist in the code."""

import re

import pytest

from support import deploy_files

PAGE = (deploy_files.ROOT / "docs" / "operations" / "troubleshooting.md").read_text()
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
SOURCES = "\n".join(path.read_text() for path in sorted((deploy_files.ROOT / "src").rglob("*.py")))


@pytest.mark.parametrize("message", QUOTED)
def test_message(message: str) -> None:
    """The parts of a message between its variables occur in the sources."""
    joined = re.sub(r'"\s*f?"', "", SOURCES)
    for part in re.split(r"…|'…'|was killed by SIG\w+", message):
        assert part.strip(" '().:;") in joined
