"""A newcomer who types everything on a page as it stands, and believes nothing.

`reading` is what the page says, `page` does it, block by block; `shell`, `servers` and `python` are what it
is done with, in a Python environment. `mapping` is the one table of what is typed otherwise.
"""
