"""What a node has of certificates of SSH: what sshd and users show, whom they trust, and what renews them."""

from __future__ import annotations

from plumbline.remote import pem_files, renewers
from plumbline.remote.command import CommandError, run
from plumbline.remote.types import Json

_SSHD = (
    "trustedusercakeys", "hostcertificate", "hostkey", "permitrootlogin", "passwordauthentication", "authorizedkeysfile",
)  # fmt: skip
_SSH = ("certificatefile", "identityfile", "stricthostkeychecking", "userknownhostsfile", "globalknownhostsfile")


def describe(request: Json) -> Json:
    """`request`: host_key, user_ca, known_hosts, authorities ({kind: path}, on the authority's node), renewers, peer,
    users ({name: {key, config}}).
    """
    return {
        "host": _pair(request["host_key"]),
        "user_ca": text(request["user_ca"]),
        "known_hosts": text(request["known_hosts"]),
        "authorities": {kind: text(path) for kind, path in request["authorities"].items()},
        "sshd": _sshd(),
        "users": {name: _user(name, user, request["peer"]) for name, user in request["users"].items()},
        "renewers": renewers.describe(sorted(request["renewers"])),
    }


def text(path: str) -> Json:
    """A file of public keys with its state."""
    found = pem_files.state(path)
    if found["exists"]:
        with open(path, encoding="utf-8", errors="replace") as file:
            found["text"] = file.read(1 << 16)
    return found


def _pair(key: str) -> Json:
    return {"key": pem_files.key(key), "public": text(f"{key}.pub"), "certificate": text(f"{key}-cert.pub")}


def _sshd() -> Json:
    """What sshd makes of its configuration; `error` where it refuses it."""
    try:
        said = run("/usr/sbin/sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1")
    except CommandError as error:
        return {"error": str(error)}
    return {"error": None, **_words(said, _SSHD)}


def _user(name: str, user: Json, peer: str) -> Json:
    """What the client makes of a user's configuration and the node's, for a login on another node."""
    become = [] if name == "root" else ["runuser", "-u", name, "--"]
    found = {**_pair(user["key"]), "config": pem_files.state(user["config"])}
    try:
        found["client"] = _words(run(*become, "ssh", "-G", "--", peer), _SSH)
    except CommandError as error:
        found["client"] = {"error": [str(error)]}
    return found


def _words(said: str, wanted: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        key, _, value = line.partition(" ")
        if key in wanted:
            found.setdefault(key, []).append(value)
    return found
