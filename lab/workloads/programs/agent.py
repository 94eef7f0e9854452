"""An agent of the test bed: registers with the dashboard every few seconds and answers whether it is fit for work.

Where that fails it tries again each second: once the dashboard is well, agents are, before a kubelet calls it ready.

Fit means: registered within the last half minute, and the bundle that its clients trust can be read and holds
certificates. It asks with that bundle only, so a wrong one is noticed as the agent's clients would notice it.
"""

import json
import os
import ssl
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVERY, AGAIN, STALE, LIMIT = 5.0, 1.0, 30.0, 4.0
_state: dict[str, Any] = {"registered": 0.0, "error": "not registered yet"}


def register() -> None:
    """Tell the dashboard that this agent is there. Raises OSError or ValueError where that fails."""
    bundle = os.environ.get("SSL_CERT_FILE")
    if bundle and not ssl.create_default_context(cafile=bundle).get_ca_certs():
        raise ValueError(f"{bundle} holds no certificate of an authority")
    body = {"name": os.environ["POD_NAME"], "kind": os.environ["AGENT_KIND"], "address": os.environ["POD_IP"]}
    request = urllib.request.Request(
        os.environ["DASHBOARD_URL"] + "/api/agents",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['AGENT_API_TOKEN']}"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        answer.read()


def keep_registered() -> None:
    """Register for ever; what went wrong last is shown by the health check."""
    while True:
        try:
            register()
            _state.update(registered=time.monotonic(), error="")
        except (OSError, ValueError) as error:
            if str(error) != _state["error"]:
                print(f"registration: {error}", flush=True)
            _state["error"] = str(error)
        time.sleep(AGAIN if _state["error"] else EVERY)


class Health(BaseHTTPRequestHandler):
    """GET /healthz: 200 where the agent is fit for work, 503 and the reason where it is not."""

    def do_GET(self) -> None:
        fresh = _state["registered"] and time.monotonic() - _state["registered"] < STALE
        text = b"registered\n" if fresh else f"{_state['error'] or 'the registration is old'}\n".encode()
        self.send_response(200 if fresh else 503)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a health check is no event."""


if __name__ == "__main__":
    threading.Thread(target=keep_registered, daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", 8080), Health).serve_forever()
