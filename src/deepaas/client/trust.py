"""Whom a client trusts when a server shows a certificate."""

import os
import ssl

VerifyTypes = bool | str | os.PathLike[str] | ssl.SSLContext


def build_ssl_context(verify: VerifyTypes) -> ssl.SSLContext | bool:
    """Return `verify` as httpx takes it; a path is that of a file of certificates to trust."""
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    return ssl.create_default_context(cafile=os.fspath(verify))
