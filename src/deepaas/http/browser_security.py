"""Protection against pages of other sites: checks of `Host` and `Origin`, and security headers.

A foreign page can make a browser send forms to this server (CSRF). It can also pose as a page of this server,
by resolving its own host name to this server's address (DNS rebinding). Pages cannot set the headers `Host`
and `Origin`, so checking these detects both.
"""

import asyncio
import functools
import ipaddress
import re

from aiohttp import hdrs
from multidict import MultiMapping

from deepaas.config.settings import Settings
from deepaas.errors import Forbidden

PUBLIC_HEADERS = {"X-Content-Type-Options": "nosniff"}
"""For public responses: browsers must not interpret JSON or text as HTML."""
PRIVATE_HEADERS = PUBLIC_HEADERS | {
    # Browsers show markup from models and trainings without scripts, and in an opaque origin.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    hdrs.CACHE_CONTROL: "no-store",
}
_SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\[\]]+))(?::([0-9]*))?", re.IGNORECASE)
_DEFAULT_PORTS = ("80", "443")
_MAX_QUOTED_LENGTH = 100


class BrowserPolicy:
    """Rejects requests that pages of other sites make a browser send.

    `checks_hosts` enables the check of hosts even without `--allowed-hosts`; set it if nothing else restricts
    access. Origins are always checked.
    """

    def __init__(self, settings: Settings, *, checks_hosts: bool) -> None:
        self._hosts = {
            "localhost",
            settings.listen_ip.lower(),
            *filter(None, settings.allowed_hosts.split(",")),
        }
        self._origins = parse_origins(settings.cors_origin)
        self._checks_hosts = (checks_hosts or bool(settings.allowed_hosts)) and "*" not in self._hosts
        self._is_known = functools.lru_cache(maxsize=64)(self._is_known_host)

    def check(self, method: str, headers: MultiMapping[str], transport: asyncio.BaseTransport | None) -> None:
        """Raise `Forbidden` for an unknown host, or for an unsafe method from another origin."""
        if self._checks_hosts:
            # Browsers always send it. Clients without it, such as health checks of load balancers, may pass.
            for host in headers.getall(hdrs.HOST, ()):
                if not (self._is_known(host) or _is_own_address(host, transport)):
                    raise Forbidden(_format_host_error(host))
        if method not in _SAFE_METHODS and headers.get(hdrs.ORIGIN):
            self._check_origin(headers)

    def _check_origin(self, headers: MultiMapping[str]) -> None:
        """Raise `Forbidden` unless the page belongs to this server or to an origin in `--cors-origin`."""
        origin = headers[hdrs.ORIGIN]
        if origin in self._origins or "*" in self._origins:
            return
        # The browser knows the page's origin even if a proxy changes the host, and pages cannot set this
        # header. Browsers send it only over HTTPS and on loopback: https://www.w3.org/TR/fetch-metadata/
        if headers.get("Sec-Fetch-Site") == "same-origin":
            return
        scheme, _, authority = origin.partition("://")
        own = _parse_authority(headers.get(hdrs.HOST, ""))
        if scheme not in ("http", "https") or own is None or _parse_authority(authority) != own:
            raise Forbidden(
                f"Pages of the origin {_quote(origin)} may change nothing on this server. Allow it with "
                "--cors-origin; behind a proxy, let the proxy send the Host header that it receives."
            )

    def _is_known_host(self, host: str) -> bool:
        parts = _parse_authority(host)
        return parts is not None and (parts[0] in self._hosts or is_loopback(parts[0]))


def parse_origins(origins_text: str) -> frozenset[str]:
    """Return the comma-separated origins, in the form that browsers send."""
    origins = (origin.strip().lower().rstrip("/") for origin in origins_text.split(","))
    return frozenset(filter(None, origins))


def is_loopback(address: str) -> bool:
    """Return whether the text is a loopback IP address."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_own_address(host: str, transport: asyncio.BaseTransport | None) -> bool:
    """Return whether the host is the IP address that the client connected to, as in container probes.

    DNS rebinding needs a name, so an address is safe.
    """
    parts = _parse_authority(host)
    own_address = transport.get_extra_info("sockname") if transport else None
    return parts is not None and own_address is not None and parts[0] == own_address[0]


def _parse_authority(authority: str) -> tuple[str, str] | None:
    """Return host and port, or `None` if invalid; the default ports of HTTP and HTTPS become empty."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    address, name, port = match.groups()
    return (address or name).lower().removesuffix("."), "" if port in _DEFAULT_PORTS else port or ""


def _format_host_error(host: str) -> str:
    parts = _parse_authority(host)
    name = parts[0] if parts else host
    return (
        f"This server does not answer to the host name {_quote(name)}. If it is this server's name, "
        "behind a proxy for example, start the server with --allowed-hosts and that name."
    )


def _quote(text: str) -> str:
    return repr(text[:_MAX_QUOTED_LENGTH])
