"""What schemathesis is told: how values look in formats that are not those of JSON Schema."""

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
# Swagger 2.0 has no word for what a text of JSON holds; these fit every structure of the models.
schemathesis.openapi.format("json", st.integers().map(lambda number: json.dumps({"deep": number})))
schemathesis.openapi.format("json-array", st.just("[]"))
# Nor can a document say that a file is a picture of a digit.
PICTURE = Path(__file__).parents[2] / "examples" / "digits" / "three.png"
schemathesis.openapi.format("binary", st.just(PICTURE.read_bytes()))


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out forms with parts of other names: they are ignored, which Swagger 2.0 cannot say."""
    return (
        case.media_type != "multipart/form-data"
        or not isinstance(case.body, dict)
        or {*case.body} <= {"image"}
    )
