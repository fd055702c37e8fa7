"""Hooks for schemathesis: generators for formats that JSON Schema does not define."""

import json
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

IPV4, IPV6 = (st.ip_addresses(v=version).map(str) for version in (4, 6))

schemathesis.openapi.format("date-time-local", st.datetimes().map(lambda time: time.isoformat()))
schemathesis.openapi.format("ip", IPV4 | IPV6)
schemathesis.openapi.format("ip-interface", IPV4.map("{}/8".format) | IPV6)
schemathesis.openapi.format("ipv4-interface", IPV4.map("{}/8".format))
schemathesis.openapi.format("ipv6-interface", IPV6.map("{}/64".format))
# Swagger 2.0 cannot describe the content of JSON text; these values match all structures of the models.
schemathesis.openapi.format("json", st.integers().map(lambda number: json.dumps({"deep": number})))
schemathesis.openapi.format("json-array", st.just("[]"))
# A document cannot require that a file is an image of a digit.
PICTURE = Path(__file__).parents[2] / "examples" / "digits" / "three.png"
schemathesis.openapi.format("binary", st.just(PICTURE.read_bytes()))


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Skip forms with unknown parts: the server ignores these, which Swagger 2.0 cannot express."""
    return (
        case.media_type != "multipart/form-data"
        or not isinstance(case.body, dict)
        or {*case.body} <= {"image"}
    )
