"""`http`: one plain GET.

args: address, port=80, path="/", host, headers, text=False (keep the body), largest=65536 (bytes), interface, source.
facts: status, headers, length, whole, sha256, first_byte_ms, connect_ms, text.
"""

from __future__ import annotations

import http.client
import time

from plumbline.remote import message
from plumbline.remote.sockets import Deadline, connected
from plumbline.remote.types import OK, RUBBISH, Answer, Json, Probe, failure


def probe(probe: Probe) -> Answer:
    """Asks once; any status is an answer."""
    args: Json = {"port": 80, **probe.args}
    started, deadline, facts = time.monotonic(), Deadline(probe.timeout), Json()
    try:
        with connected(args, deadline) as sock:
            facts["connect_ms"] = round(1000 * (time.monotonic() - started), 2)
            facts.update(
                message.get(
                    sock, str(args.get("host") or args["address"]), args, deadline, int(args.get("largest", 65536))
                )
            )
    except http.client.HTTPException as error:
        return Answer(RUBBISH, f"not HTTP: {error!r}"[:200], facts)
    except OSError as error:
        return Answer(failure(error), str(error), facts)
    return Answer(OK, None, facts)
