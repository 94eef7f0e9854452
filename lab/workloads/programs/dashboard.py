"""The dashboard's place in the test bed: agents register here with their token, an administrator reads who is there.

Everything is kept in PostgreSQL, reached by DATABASE_URL, and nothing in memory, so that a dashboard that cannot reach
its database says so.
"""

import base64
import hashlib
import hmac
import html
import json
import os
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg2  # type: ignore[import-untyped]

SESSION = 3600
_NONE: Mapping[str, str] = {}
_SCHEMA = """CREATE TABLE IF NOT EXISTS agents (name text PRIMARY KEY, kind text NOT NULL, address text NOT NULL,
first_seen timestamptz NOT NULL DEFAULT now(), last_seen timestamptz NOT NULL DEFAULT now())"""
_REGISTER = """INSERT INTO agents (name, kind, address) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, address = excluded.address, last_seen = now()"""
_LIST = "SELECT name, kind, address, extract(epoch FROM now() - last_seen)::int FROM agents ORDER BY kind, name"
_SHOWN = ("name", "kind", "address", "seconds_ago")
_lock = threading.Lock()
_open: list[Any] = []
"""The connection, where there is one."""


def query(statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Rows of a statement, in a transaction of its own; the connection is made anew after an error."""
    with _lock:
        try:
            if not _open:
                _open.append(psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=2))
                with _open[0], _open[0].cursor() as cursor:
                    cursor.execute(_SCHEMA)
            with _open[0], _open[0].cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 2000")
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error:
            while _open:
                _open.pop().close()
            raise


def session(until: int) -> str:
    """A signed cookie that ends at a point in time."""
    signature = hmac.new(os.environ["SESSION_SECRET"].encode(), str(until).encode(), hashlib.sha256).hexdigest()
    return f"{until}.{signature}"


class Dashboard(BaseHTTPRequestHandler):
    """POST /api/agents (token), GET /api/agents and / (administrator), GET /healthz."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        try:
            size = min(int(self.headers.get("Content-Length") or 0), 65536)
            data = self.rfile.read(size)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.path != "/api/agents":
                return self.answer(404, "not found")
            if not hmac.compare_digest(token.encode(), os.environ["AGENT_API_TOKEN"].encode()):
                return self.answer(401, "a valid agent token was expected")
            body = json.loads(data)
            query(_REGISTER, (str(body["name"]), str(body["kind"]), str(body["address"])))
            self.answer(200, "registered")
        except (ValueError, KeyError, TypeError):
            self.answer(400, "name, kind and address were expected, as JSON")
        except psycopg2.Error as error:
            self.answer(503, f"database: {error}")

    def do_GET(self) -> None:
        try:
            if self.path == "/healthz":
                query("SELECT 1")
                return self.answer(200, "ok")
            if self.path not in ("/", "/api/agents"):
                return self.answer(404, "not found")
            if not self.is_administrator():
                return self.answer(401, "administrators only", {"WWW-Authenticate": 'Basic realm="dashboard"'})
            agents = [dict(zip(_SHOWN, row, strict=True)) for row in query(_LIST)]
            cookie = {"Set-Cookie": f"session={session(int(time.time()) + SESSION)}; HttpOnly; SameSite=Strict"}
            if self.path == "/api/agents":
                return self.answer(200, json.dumps(agents), {"Content-Type": "application/json", **cookie})
            rows = "".join(f"<tr>{''.join(f'<td>{html.escape(str(v))}</td>' for v in a.values())}</tr>" for a in agents)
            page = f"<!doctype html><title>agents</title><table>{rows}</table>"
            self.answer(200, page, {"Content-Type": "text/html; charset=utf-8", **cookie})
        except psycopg2.Error as error:
            self.answer(503, f"database: {error}")

    def is_administrator(self) -> bool:
        """Are name and password right, or is there a session that they were right for?"""
        expected = "Basic " + base64.b64encode(os.environ["ADMIN_BASIC_AUTH"].encode()).decode()
        if hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode()):
            return True
        cookie = self.headers.get("Cookie", "").partition("session=")[2].partition(";")[0]
        until = cookie.partition(".")[0]
        return until.isdigit() and int(until) > time.time() and hmac.compare_digest(cookie, session(int(until)))

    def answer(self, status: int, text: str, headers: Mapping[str, str] = _NONE) -> None:
        """Send a whole answer."""
        data = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: registrations come every few seconds."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Dashboard).serve_forever()
