"""TLS verification of the server."""

import os
import ssl

VerifyTypes = bool | str | os.PathLike[str] | ssl.SSLContext


def build_ssl_context(verify: VerifyTypes) -> ssl.SSLContext | bool:
    """Return `verify` as httpx expects it. A path names a file of trusted certificates."""
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    return ssl.create_default_context(cafile=os.fspath(verify))
