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
_NAME_PLACEHOLDER = "NAME"
_RENAMED_FILES = {"gitignore": ".gitignore"}
_NEXT_STEPS = """\
Wrote {folder}:
{files}

Next:
  pip install -e '{folder}[test]'
  pytest {folder}
  deepaas-run --model-name {name}
"""


class ModelNameType(click.ParamType):  # type: ignore[type-arg] # generic in newer versions of click only
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
@click.argument("name", type=ModelNameType())
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
    files = sorted(_write_files(resources.files(__package__) / "template", folder, said))
    click.echo(_NEXT_STEPS.format(folder=folder, name=name, files="\n".join(f"  {file}" for file in files)))


def _write_files(template: Traversable, folder: Path, substitutions: Mapping[str, str]) -> Iterator[Path]:
    """Write the files of a template into a folder, and yield their paths."""
    for one in template.iterdir():
        path = folder / _get_file_name(one.name, substitutions["name"])
        if one.is_dir():
            path.mkdir()
            yield from _write_files(one, path, substitutions)
        elif one.name.endswith(_SUFFIX):
            text = string.Template(one.read_text(encoding="utf-8")).substitute(substitutions)
            path.write_text(text, encoding="utf-8")
            yield path


def _get_file_name(template_name: str, name: str) -> str:
    found = template_name.removesuffix(_SUFFIX)
    return name if found == _NAME_PLACEHOLDER else _RENAMED_FILES.get(found, found)
