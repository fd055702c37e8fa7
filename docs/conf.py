"""Configuration of Sphinx. The modules in `_ext/` generate tables from the code."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "DEEPaaS"
author = "The DEEPaaS developers"
project_copyright = author
version = release = version_of("deepaas")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "tables",
]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "attrs_block", "attrs_inline"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"DEEPaaS {release}"
html_show_sphinx = False
html_show_copyright = False
copybutton_prompt_text = r"\$ |>>> |> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
nitpick_ignore_regex = [
    # Types of other projects have no links here, so that a build needs no network.
    (r"py:.*", r"(?!deepaas).*"),
    # Private modules and types are not documented.
    (r"py:.*", r"deepaas\..*\._.*"),
]
