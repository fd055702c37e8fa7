"""Writes the blocking client, `client/_sync/`, by replacing words in the asyncio client, `client/_async/`.

httpx and httpcore do the same: https://github.com/encode/httpcore/blob/master/scripts/unasync.py. `--check`
compares the files and writes nothing.
"""
# ruff: noqa: INP001, T201 - a script, not a package; it prints its results.

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src/deepaas/client"
# Otherwise ruff takes modules that do not exist yet for third-party packages.
FIRST_PARTY = "lint.isort.known-first-party=['deepaas']"
REPLACEMENTS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|closing|iter_bytes|iter_sse|read)\b", r"\1"),
    (r"\b_async\b", "_sync"),
    (r"\bimport asyncio\n((?:import \w+\n)*)import time\n", r"\1import time\n"),
    (r"\basyncio\b", "time"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="report differences, and write nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the folder of _async/ and _sync/")
    options = parser.parse_args(arguments)
    target = options.folder / "_sync"
    wanted = {path.name: convert(path) for path in sorted((options.folder / "_async").glob("*.py"))}
    if not options.check:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name, content in wanted.items():
            (target / name).write_text(content, encoding="utf-8")
        return 0
    current = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.py")}
    differing = sorted(name for name in {*wanted, *current} if wanted.get(name) != current.get(name))
    if differing:
        print(f"Not generated from _async/: {', '.join(differing)} in {target}. Run `make fix`.")
    return bool(differing)


def convert(source: Path) -> str:
    """Return the blocking form of a file, formatted."""
    text = source.read_text(encoding="utf-8")
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    header = f"# Generated from _async/{source.name} by tools/sync_client.py; do not edit.\n"
    sorting = ("check", "--select", "I", "--config", FIRST_PARTY, "--fix-only", "--quiet")
    return run_ruff("format", "--quiet", text=run_ruff(*sorting, text=header + text))


def run_ruff(*arguments: str, text: str) -> str:
    """Return the text as `ruff` changes it, with the project's configuration."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        *arguments,
        "--stdin-filename",
        str(FOLDER / "_sync/client.py"),
        "-",
    ]
    # The arguments are constants.
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
