"""The connection to an API server that a kubeconfig describes: where it is, what speaks to it, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.collect.access import Access

THREADS = 6
"""How many requests at a time a connection is made for."""


@dataclass(frozen=True)
class Server:
    """An API server; `pool` is urllib3's, with the certificates of the kubeconfig."""

    configuration: Any
    pool: Any
    agent: str

    @property
    def host(self) -> str:
        """The beginning of every URL."""
        return str(self.configuration.host)

    @property
    def headers(self) -> dict[str, str]:
        """What every request says; a token is asked for anew each time, since it may be one that is renewed."""
        headers = {"Accept": "application/json", "User-Agent": self.agent}
        if token := self.configuration.auth_settings().get("BearerToken"):
            headers["Authorization"] = str(token["value"])
        return headers


def connect(access: Access, file: Path | None, agent: str) -> Server:
    """What `file` describes, or the default kubeconfig. Raises whatever a kubeconfig can be wrong in."""
    from kubernetes import client, config

    configuration = client.Configuration()
    if file and not file.is_file():
        raise FileNotFoundError(f"{file} does not exist")
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(file) if file else None, access.context, client_configuration=configuration, persist_config=False
    )
    configuration.connection_pool_maxsize = THREADS
    configuration.retries = False
    if access.netns:
        configuration.proxy = None  # nothing but the bed is reached from there
    return Server(configuration, client.ApiClient(configuration).rest_client.pool_manager, agent)
