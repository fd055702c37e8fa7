"""What browsers may do with this server: which hosts and origins they may name, and what they show.

A page of a stranger can have a browser send forms to this server. It can also pass for a page of this
server, by having a name of its own resolve to this server's address (DNS rebinding). The headers `Host` and
`Origin`, which no page can set, tell both apart.
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
"""Of responses that everybody may have: no browser takes JSON or text for a page."""
PRIVATE_HEADERS = PUBLIC_HEADERS | {
    # Markup that a model or a training made is shown without scripts, and as nobody's page.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    hdrs.CACHE_CONTROL: "no-store",
}
_SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\[\]]+))(?::([0-9]*))?", re.IGNORECASE)
_DEFAULT_PORTS = ("80", "443")
_MAX_QUOTED_LENGTH = 100


class BrowserPolicy:
    """Refuses what pages of strangers have a browser send.

    `checks_hosts` is whether to check hosts also without `--allowed-hosts`, where nothing else keeps
    strangers out. Origins are always checked.
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
        """Raise `Forbidden` for a host that is not this server's, or a change for another origin's page."""
        if self._checks_hosts:
            # Every browser sends one; what sends none, such as the check of a load balancer, is no browser.
            for host in headers.getall(hdrs.HOST, ()):
                if not (self._is_known(host) or _is_own_address(host, transport)):
                    raise Forbidden(_format_host_error(host))
        if method not in _SAFE_METHODS and headers.get(hdrs.ORIGIN):
            self._check_origin(headers)

    def _check_origin(self, headers: MultiMapping[str]) -> None:
        """Raise `Forbidden` unless a page of this server, or of an origin of `--cors-origin`, is calling."""
        origin = headers[hdrs.ORIGIN]
        if origin in self._origins or "*" in self._origins:
            return
        # What the browser knows better where a proxy changes the host; no page can set this header. Browsers
        # send it over HTTPS and on loopback only: https://www.w3.org/TR/fetch-metadata/
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
    """Return the origins in `origins_text`, as browsers write them."""
    origins = (origin.strip().lower().rstrip("/") for origin in origins_text.split(","))
    return frozenset(filter(None, origins))


def is_loopback(address: str) -> bool:
    """Return whether the text is an IP address that only this machine reaches."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_own_address(host: str, transport: asyncio.BaseTransport | None) -> bool:
    """Return whether the host is the address that the client connected to, as for probes of a container.

    Rebinding takes a name, which an address never is.
    """
    parts = _parse_authority(host)
    own_address = transport.get_extra_info("sockname") if transport else None
    return parts is not None and own_address is not None and parts[0] == own_address[0]


def _parse_authority(authority: str) -> tuple[str, str] | None:
    """Return host and port, which is empty where it is the one of HTTP or HTTPS; `None` for anything else."""
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
