"""Sorts tests into groups for pytest-xdist: tests that share a server run in one process."""

import pytest


def assign(items: list[pytest.Item]) -> None:
    """Mark each test with its group. Order: tests on Ray, which share one cluster, slow tests, all others.

    pytest-xdist runs large groups first. Tests that share no server have no group; it runs them last, in this
    order.
    """
    for item in items:
        scopes = _scopes(item)
        if "ray_cluster" in scopes:
            item.add_marker(pytest.mark.ray)
        group = _group(item, scopes)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("ray", "slow")])


def _group(item: pytest.Item, scopes: dict[str, str]) -> str:
    """Return the name of the test's group (its cluster, package or file), or an empty string."""
    if item.get_closest_marker("ray"):
        return "ray"
    if "cluster" in scopes or "[postgresql" in item.name:
        return "postgresql"
    path = item.path.relative_to(item.config.rootpath)
    if "package" in scopes.values():
        return str(path.parent)
    return str(path) if "module" in scopes.values() else ""


def _scopes(item: pytest.Item) -> dict[str, str]:
    """Return the scope of each fixture that a test uses, except `engine`, which all tests use."""
    assert isinstance(item, pytest.Function)
    definitions = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - pytest publishes only the names
    return {name: found[-1].scope for name, found in definitions.items() if name != "engine"}
