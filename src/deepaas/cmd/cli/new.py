"""`deepaas-cli new`: creates a small model package from the files in `template/`."""

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
    """A name that is valid for a Python package, a distribution and a model."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with the expected form."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value) or keyword.iskeyword(value):
            self.fail(
                f"it is {value!r}, expected lower-case letters, digits and underscores, as in my_model.",
                param,
                ctx,
            )
        if value in sys.stdlib_module_names or util.find_spec(value):
            self.fail(f"a module named '{value}' already exists; choose another name.", param, ctx)
        return value


@click.command()
@click.argument("name", type=ModelNameType())
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Parent folder."
)
@click.option("--author", default="Your Name", help="Author in pyproject.toml.")
def new(*, name: str, into: Path, author: str) -> None:
    """Create a model package NAME: a model that predicts and trains, its test, pyproject.toml and README."""
    folder = into / name
    substitutions = {
        "name": name,
        "variable": f"{name.upper()}_FILE",
        "author": json.dumps(author, ensure_ascii=False),
        "release": ".".join(version("deepaas").split(".")[:2]),
    }
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise click.UsageError(
            f"{folder} already exists; choose another name, or another folder with --into."
        ) from None
    files = sorted(_write_files(resources.files(__package__) / "template", folder, substitutions))
    click.echo(_NEXT_STEPS.format(folder=folder, name=name, files="\n".join(f"  {file}" for file in files)))


def _write_files(template: Traversable, folder: Path, substitutions: Mapping[str, str]) -> Iterator[Path]:
    """Write the template's files into a folder, with substitutions, and yield their paths."""
    for entry in template.iterdir():
        path = folder / _get_file_name(entry.name, substitutions["name"])
        if entry.is_dir():
            path.mkdir()
            yield from _write_files(entry, path, substitutions)
        elif entry.name.endswith(_SUFFIX):
            text = string.Template(entry.read_text(encoding="utf-8")).substitute(substitutions)
            path.write_text(text, encoding="utf-8")
            yield path


def _get_file_name(template_name: str, name: str) -> str:
    base = template_name.removesuffix(_SUFFIX)
    return name if base == _NAME_PLACEHOLDER else _RENAMED_FILES.get(base, base)
