"""`deepaas-cli new`: a small model package to begin with, from the files in `template/`."""

import json
import keyword
import re
import string
import sys
from collections.abc import Iterator, Mapping
from importlib import resources, util
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path

import click

_SUFFIX = ".template"
_NAME = "NAME"
_RENAMED = {"gitignore": ".gitignore"}
_NEXT = """\
Wrote {folder}:
{files}

Next:
  pip install -e '{folder}[test]'
  pytest {folder}
  deepaas-run --model-name {name}
"""


class ModelName(click.ParamType):  # type: ignore[type-arg] # generic in newer versions of click only
    """A name that a Python package, a distribution and a model can all have."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or leave with words that say what would be right."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value) or keyword.iskeyword(value):
            self.fail(
                f"it is {value!r}, expected small letters, digits and underscores, as in my_model.",
                param,
                ctx,
            )
        if value in sys.stdlib_module_names or util.find_spec(value):
            self.fail(f"'{value}' is the name of a module that is there already; choose another.", param, ctx)
        return value


@click.command()
@click.argument("name", type=ModelName())
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to put it into."
)
@click.option("--author", default="Your Name", help="Who is to be named as its author.")
def new(*, name: str, into: Path, author: str) -> None:
    """Write a model package NAME: a model that predicts and trains, its test, pyproject.toml and README."""
    folder = into / name
    said = {
        "name": name,
        "variable": f"{name.upper()}_FILE",
        "author": json.dumps(author, ensure_ascii=False),
        "release": ".".join(version("deepaas").split(".")[:2]),
    }
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise click.UsageError(
            f"{folder} is there already; choose another name, or --into a folder."
        ) from None
    files = sorted(_written(resources.files(__package__) / "template", folder, said))
    click.echo(_NEXT.format(folder=folder, name=name, files="\n".join(f"  {file}" for file in files)))


def _written(template: Traversable, folder: Path, said: Mapping[str, str]) -> Iterator[Path]:
    """Write the files of a template into a folder, and yield their paths."""
    for one in template.iterdir():
        path = folder / _name(one.name, said["name"])
        if one.is_dir():
            path.mkdir()
            yield from _written(one, path, said)
        elif one.name.endswith(_SUFFIX):
            text = string.Template(one.read_text(encoding="utf-8")).substitute(said)
            path.write_text(text, encoding="utf-8")
            yield path


def _name(in_template: str, name: str) -> str:
    found = in_template.removesuffix(_SUFFIX)
    return name if found == _NAME else _RENAMED.get(found, found)
