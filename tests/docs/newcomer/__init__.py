"""A newcomer who types everything on a page as it stands, and believes nothing.

`reading` parses a page, `page` runs its blocks with `shell`, `servers` and `python` in a Python environment
of the page's own. `mapping` lists the commands that are replaced by others.
"""
