"""Creates a Python environment that shares all installed packages of the tests, without a download.

It is also a script, a replacement for ``python -m venv``: ``python_environment.py FOLDER``.
"""

import subprocess
import sys
import sysconfig
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

_COMMAND = """\
#!{python}
import sys
from {module} import {name}
sys.exit({attribute}())
"""


def make_environment(folder: Path) -> Path:
    """Create an environment in `folder`; return the folder of its commands."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
    ours = sysconfig.get_path("purelib")
    paths = {"base": str(folder), "platbase": str(folder)}
    theirs = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (theirs / "all_that_the_tests_have.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    commands = folder / "bin"
    for point in entry_points(group="console_scripts"):
        _write_command(commands, point)
    return commands


def _write_command(commands: Path, point: EntryPoint) -> None:
    path = commands / point.name
    name = point.attr.partition(".")[0]
    path.write_text(
        _COMMAND.format(python=commands / "python", module=point.module, name=name, attribute=point.attr)
    )
    path.chmod(0o755)


if __name__ == "__main__":
    make_environment(Path(sys.argv[1]).absolute())
