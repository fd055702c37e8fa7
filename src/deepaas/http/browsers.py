"""Requests that browsers make for pages of others: which hosts and origins this server takes for its own.

Where no token is asked for, any page that somebody opens beside the server could use it: by a form or a
script of another origin, or under a name of the page's own that leads to this machine (DNS rebinding).
"""

import ipaddress
from collections.abc import Mapping

from aiohttp import hdrs

from deepaas.errors import NotAllowed
from deepaas.settings import Settings

PRIVATE = {"X-Content-Type-Options": "nosniff", hdrs.CACHE_CONTROL: "no-store"}
"""Headers of responses, unless they say something else: a browser neither guesses types nor keeps them."""
MADE_BY_MODELS = PRIVATE | {"Content-Security-Policy": "sandbox; default-src 'none'"}
"""Headers of what a model or a training made: where it is markup, it runs no script and loads nothing."""
_SAFE_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
_LOCAL_NAMES = ("localhost",)
ANY = "*"


class Browsers:
    """Refuses requests for hosts and from origins that are not the server's own."""

    def __init__(self, settings: Settings, *, has_tokens: bool) -> None:
        named = _names(settings.allowed_hosts)
        self._named_hosts = frozenset(named)
        is_local = is_loopback(settings.listen_ip)
        self._checks_hosts = ANY not in named and (bool(named) or (is_local and not has_tokens))
        self._hosts = frozenset({settings.listen_ip.lower(), *_LOCAL_NAMES, *named})
        self._origins = frozenset(origin.rstrip("/") for origin in _names(settings.cors_origin))

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Raise `NotAllowed` for a foreign host, and where a foreign origin would change something."""
        authority = headers.get(hdrs.HOST, "").strip().lower()
        if self._checks_hosts:
            self._check_host(authority)
        if method not in _SAFE_METHODS and hdrs.ORIGIN in headers:
            self._check_origin(headers[hdrs.ORIGIN].strip().lower(), authority)

    def _check_host(self, authority: str) -> None:
        host = _host(authority)
        # Clients that send no host are no browsers.
        if host and host not in self._hosts and not is_loopback(host):
            raise NotAllowed(
                f"This server is not known as '{host}'. If it should be, name that host with --allowed-hosts."
            )

    def _check_origin(self, origin: str, authority: str) -> None:
        own = origin.partition("://")[2]
        if ANY in self._origins or origin in self._origins or (own and own == authority):
            return
        if _host(own) in self._named_hosts:
            return
        raise NotAllowed(
            f"Pages of the origin '{origin}' may not change anything here. If they should, name the origin "
            "with --cors-origin. If it is this server's, behind a proxy, name its host with --allowed-hosts."
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is an address that only this machine reaches, or its name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


def _names(text: str) -> list[str]:
    return [name for name in (one.strip().lower() for one in text.split(",")) if name]


def _host(authority: str) -> str:
    """Return the host of `host:port`, without the brackets of an IPv6 address."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    host, _, port = authority.rpartition(":")
    return (host if port.isdecimal() and host else authority).rstrip(".")
