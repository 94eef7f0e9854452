"""Fetches public sites over net1, writes them to the NFS export and tells whether the provider answers.

Names are asked of the provider's own resolver and certificates are verified, as for any public site. GET /healthz is
200 while net1 has an address; GET / tells the rest as JSON.
"""

import ctypes
import fcntl
import hashlib
import http.client
import io
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import tarfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVERY, FIRST, LIMIT = 60.0, 5.0, 5.0
LARGEST, MOST = 8 << 20, 200
CHUNK = 2048
_SIOCGIFADDR = 0x8915
_LINK = re.compile(r"""(?:href|src)=["']([^"'#?]+)""")
_state: dict[str, Any] = {"gateway": {}, "outside": {}, "sites": {}, "error": ""}


def address(interface: str = "net1") -> str | None:
    """The IPv4 address of an interface, or None where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", interface.encode()))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def ping(target: str) -> dict[str, Any]:
    """Does a host answer on net1, and within how many milliseconds?"""
    command = ["ping", "-n", "-c", "1", "-W", "2", "-I", "net1", target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    time_taken = re.search(r"time=([\d.]+)", done.stdout)
    return {"reachable": done.returncode == 0, "milliseconds": float(time_taken[1]) if time_taken else None}


def look_up(name: str, server: str) -> str:
    """The first IPv4 address of a name, asked of one resolver over net1. Raises OSError where there is none."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"net1\0")
        asked.settimeout(LIMIT)
        number = os.urandom(2)
        asked.sendto(number + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1", (server, 53))
        while (answer := asked.recv(1500))[:2] != number:
            pass
    # The records follow the question; a name in them is a pointer of two bytes, as every resolver writes it.
    at, count = 12 + len(labels) + 5, struct.unpack(">H", answer[6:8])[0]
    for _ in range(count):
        kind, size = struct.unpack(">HxxxxxxH", answer[at + 2 : at + 12])
        if kind == 1:
            return socket.inet_ntoa(answer[at + 12 : at + 16])
        at += 12 + size
    raise OSError(f"{server} knows no address of {name}")


class Connection(http.client.HTTPSConnection):
    """HTTPS over net1 to an address, with the certificate verified for the name of the site."""

    def __init__(self, name: str, at: str) -> None:
        super().__init__(name, timeout=LIMIT)
        self.at = at

    def connect(self) -> None:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"net1\0")
        plain.settimeout(LIMIT)
        plain.connect((self.at, 443))
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def fetch(site: str) -> dict[str, bytes]:
    """The pages of a site and what they link to on the same site, by path."""
    at = next(found for server in os.environ["OUTSIDE"].split() for found in [look_up(site, server)])
    connection = Connection(site, at)
    found: dict[str, bytes] = {}
    todo = ["/"]
    try:
        while todo and len(found) < MOST:
            path = todo.pop()
            name = path.lstrip("/") or "index.html"
            if name in found or ".." in name:
                continue
            connection.request("GET", path, headers={"User-Agent": "cloner"})
            answer = connection.getresponse()
            data = answer.read(LARGEST)
            if answer.status != 200:
                continue
            found[name] = data
            if "html" in answer.headers.get("Content-Type", ""):
                links = (urllib.parse.urljoin(path, link) for link in _LINK.findall(data.decode(errors="replace")))
                todo += [link for link in links if link.startswith("/") and not link.startswith("//")]
    finally:
        connection.close()
    return found


def pack(files: dict[str, bytes]) -> bytes:
    """The same files give the same archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def write(name: str, data: bytes) -> None:
    """Write a file to the export, whole or not at all. Raises OSError where that fails.

    With the library and not with `nfs-cp`: over NFSv4 this release of libnfs cannot write more than 4 KB at once.
    """
    library = ctypes.CDLL("libnfs.so.13")
    library.nfs_init_context.restype = library.nfs_get_error.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.nfs_init_context())

    def check(result: int) -> None:
        if result < 0:
            said = ctypes.cast(library.nfs_get_error(context), ctypes.c_char_p).value or b"no reason given"
            raise OSError(f"{os.environ['EXPORT']}: {said.decode(errors='replace')}")

    try:
        library.nfs_set_version(context, 4)
        library.nfs_set_timeout(context, int(LIMIT * 1000))
        export = urllib.parse.urlsplit(os.environ["EXPORT"])
        check(library.nfs_mount(context, export.netloc.encode(), export.path.encode()))
        file, part = ctypes.c_void_p(), f"/.{name}.part".encode()
        check(library.nfs_open2(context, part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, ctypes.byref(file)))
        for start in range(0, len(data), CHUNK):
            chunk = data[start : start + CHUNK]
            check(library.nfs_write(context, file, ctypes.c_uint64(len(chunk)), chunk))
        check(library.nfs_close(context, file))
        check(library.nfs_rename(context, part, f"/{name}".encode()))
    finally:
        library.nfs_destroy_context(context)


def clone() -> None:
    """Fetch all sites; what has changed is written, and the index last, so that a reader never sees half a site."""
    before = dict(_state["sites"])
    for site in os.environ["SITES"].split():
        data = pack(fetch(site))
        digest = hashlib.sha256(data).hexdigest()[:16]
        if _state["sites"].get(site) != digest:
            write(f"{site}.{digest}.tar", data)
            _state["sites"][site] = digest
    if _state["sites"] != before:
        write("index.json", json.dumps(_state["sites"]).encode())


def work() -> None:
    """Look at the provider and clone, for ever."""
    while True:
        try:
            if os.environ["GATEWAY"]:
                _state["gateway"] = ping(os.environ["GATEWAY"])
            _state["outside"] = {target: ping(target) for target in os.environ["OUTSIDE"].split()}
            clone()
            _state["error"] = ""
        except (OSError, ValueError, subprocess.SubprocessError, http.client.HTTPException) as error:
            if str(error) != _state["error"]:
                print(error, flush=True)
            _state["error"] = str(error)
        time.sleep(FIRST if _state["error"] else EVERY)


class Health(BaseHTTPRequestHandler):
    """GET /healthz and /."""

    def do_GET(self) -> None:
        net1 = address()
        data = json.dumps({"net1": net1, **_state}).encode()
        self.send_response(200 if net1 or self.path != "/healthz" else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a health check is no event."""


if __name__ == "__main__":
    threading.Thread(target=work, daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", 8080), Health).serve_forever()
