"""The Sphinx directive `{table-of} NAME`, which inserts a table generated from the code.

Each table has its own module with a function that returns Markdown.
"""

from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import command_table
import error_table
import http_table
import metric_table
import option_table
import state_table

TABLES = {
    "options": option_table.markdown,
    "metrics": metric_table.markdown,
    "errors": error_table.markdown,
    "routes": http_table.markdown,
    "states": state_table.markdown,
    "deepaas-run": command_table.of_run,
    "deepaas-cli": command_table.of_cli,
    "deepaas-predict": command_table.of_predict,
}


class TableOf(SphinxDirective):
    """``{table-of} NAME`` inserts the table of that name."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes. The page is read again in every build, as the code may have changed."""
        self.env.note_reread()
        return self.parse_text_to_nodes(TABLES[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("table-of", TableOf)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
