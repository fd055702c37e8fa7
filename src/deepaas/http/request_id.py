"""The id of a request, sent in its response and written in its log lines."""

import random
import re
from collections.abc import Mapping

REQUEST_ID_HEADER = "X-Request-ID"
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def get_request_id(headers: Mapping[str, str]) -> str:
    """Return the id that the client sent, if it is valid, else a new one."""
    sent = headers.get(REQUEST_ID_HEADER)
    return sent if sent and _VALID_REQUEST_ID.fullmatch(sent) else generate_request_id()


def generate_request_id() -> str:
    """Return a random id of 16 hexadecimal digits."""
    return f"{random.getrandbits(64):016x}"
