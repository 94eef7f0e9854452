"""The facts of a run, read from memory by checks; whatever is missing raises Unknown with its cause."""

from plumbline.facts.cluster import Cluster, Pod
from plumbline.facts.facts import Facts
from plumbline.facts.node import NodeFacts, PodFacts
from plumbline.facts.replies import (
    Arp,
    Capture,
    Dns,
    Http,
    Issue,
    Login,
    Ping,
    Quic,
    Record,
    Reply,
    Snmp,
    Tcp,
    Tls,
    Trunk,
)

__all__ = [
    "Arp",
    "Capture",
    "Cluster",
    "Dns",
    "Facts",
    "Http",
    "Issue",
    "Login",
    "NodeFacts",
    "Ping",
    "Pod",
    "PodFacts",
    "Quic",
    "Record",
    "Reply",
    "Snmp",
    "Tcp",
    "Tls",
    "Trunk",
]
