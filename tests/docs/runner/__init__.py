"""Runs the commands and code of a documentation page as printed, and compares the output.

`reading` parses a page, `page` runs its blocks with `shell`, `servers` and `python` in a separate Python
environment. `mapping` lists the commands that are replaced by others.
"""
