"""How many workers a model may have, as people write it. It must not know workers."""

import re
from typing import NamedTuple, Self

_FORM = re.compile(r"(\d+)(?:\s*:\s*(\d+))?", re.ASCII)
EXPECTED = "a whole number from 1, or the least and the most as MIN:MAX, such as 1:8"


class Scale(NamedTuple):
    """The least and the most workers that a model may have."""

    least: int
    most: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `4` or `1:8` says, or raise ValueError with words that say what would be right."""
        found = _FORM.fullmatch(text.strip())
        if not found:
            raise ValueError(EXPECTED)
        least, most = int(found[1]), int(found[2] or found[1])
        if most < least:
            raise ValueError(f"the smaller number first, {most}:{least}" if most else EXPECTED)
        if not least:
            reason = f": a model needs one worker at least, such as 1:{most}" if most else ""
            raise ValueError(f"a whole number from 1{reason}")
        return cls(least, most)

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least}:{self.most}"
