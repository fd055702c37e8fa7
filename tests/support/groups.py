"""Sorts tests into groups for pytest-xdist: tests that share a server run in one process."""

import pytest

_SHARED_BY_SESSION = {"ray_cluster": "ray", "cluster": "postgresql"}


def assign(items: list[pytest.Item]) -> None:
    """Mark each test with its group, and put the slow ones first: they then run beside all others.

    A test that shares no server has no group; any process may run it.
    """
    for item in items:
        if "ray_cluster" in _fixtures(item):
            item.add_marker(pytest.mark.ray)
        group = _group(item)
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    """Return 0 for Ray's tests, which are one long group, 1 for other slow ones, and 2 for the rest."""
    if item.get_closest_marker("ray"):
        return 0
    return 1 if item.get_closest_marker("slow") else 2


def _group(item: pytest.Item) -> str:
    """Return the name of what the test shares: a cluster, its package's server or its file's server."""
    if item.get_closest_marker("ray"):
        return "ray"
    scopes = set()
    for name, scope in _fixtures(item).items():
        if name in _SHARED_BY_SESSION:
            return _SHARED_BY_SESSION[name]
        scopes.add(scope)
    path = item.path.relative_to(item.config.rootpath)
    if "package" in scopes:
        return str(path.parent)
    return str(path) if "module" in scopes else ""


def _fixtures(item: pytest.Item) -> dict[str, str]:
    """Return the scopes of all fixtures that a test uses, by name, but for `engine`, which all tests use."""
    assert isinstance(item, pytest.Function)
    definitions = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - pytest publishes only the names
    return {name: found[-1].scope for name, found in definitions.items() if name != "engine"}
