"""Rules of a policy of Consul, which takes them as HCL or as JSON, as the bed file writes them."""

from __future__ import annotations

import json
import re
from typing import Any

from plumbline.outcome import Unknown
from plumbline.remote.hcl import uncommented

Rules = dict[str, dict[str, str] | str]
_RULE = re.compile(
    r'\s*"?(?P<kind>\w+)"?\s*'
    r'(?:"(?P<name>[^"\\\n]*)"\s*\{\s*"?policy"?\s*=\s*"(?P<access>\w+)"\s*\}|=\s*"(?P<whole>\w+)")'
)


def parsed(rules: str) -> Rules:
    """The rules by kind. Unknown where any of them is of another form: it may allow what nobody has read."""
    text = rules.strip()
    return _of_json(text) if text.startswith("{") else _of_hcl(uncommented(text))


def _of_hcl(text: str) -> Rules:
    found: Rules = {}
    at = 0
    while rest := text[at:].strip():
        rule = _RULE.match(text, at)
        if rule is None:
            raise _unread(rest)
        _add(found, rule["kind"], rule["name"], rule["whole"] or rule["access"])
        at = rule.end()
    return found


def _of_json(text: str) -> Rules:
    found: Rules = {}
    try:
        rules = json.loads(text, object_pairs_hook=lambda pairs: pairs)  # a key that stands twice is no mistake to JSON
    except ValueError:
        raise _unread(text) from None
    for kind, said in rules:
        for name, access in [(None, said)] if isinstance(said, str) else _named(kind, said):
            _add(found, kind, name, access)
    return found


def _named(kind: str, said: Any) -> list[tuple[str, str]]:
    match said:
        case [*names] if all(_is_rule(name) for name in names):
            return [(name, access) for name, [(_, access)] in names]
    raise _unread(f"{kind}: {json.dumps(said)}")


def _is_rule(said: Any) -> bool:
    """Whether a pair of JSON is ("vault/", {"policy": "write"}), with nothing beside the policy."""
    match said:
        case (_, [("policy", str())]):
            return True
    return False


def _add(found: Rules, kind: str, name: str | None, access: str) -> None:
    """Adds one rule; of two for the same thing nobody can tell which one holds."""
    names = found.setdefault(kind, access if name is None else {})
    if name is None and names == access:
        return
    if name is None or isinstance(names, str) or names.setdefault(name, access) != access:
        raise _unread(f"a second rule for {kind} {name or ''}".strip())


def _unread(rest: str) -> Unknown:
    return Unknown(f"the rules hold what the gate cannot read: {' '.join(rest.split())[:120]}")
