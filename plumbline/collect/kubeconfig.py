"""The connection to an API server that a kubeconfig describes: where it is, what speaks to it, and as whom."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
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
    # The client writes certificate and key to files, and would leave them behind when its process is killed. OpenSSL
    # reads them here, once; after that they are gone.
    with TemporaryDirectory(prefix="plumbline-kubeconfig-") as folder:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(file) if file else None, access.context, client_configuration=configuration, persist_config=False,
            temp_file_path=folder,
        )  # fmt: skip
        configuration.connection_pool_maxsize = THREADS
        configuration.retries = False
        if access.netns:
            configuration.proxy = None  # nothing but the bed is reached from there
        pool = client.ApiClient(configuration).rest_client.pool_manager
        context = _context(configuration)
    for name in ("ca_certs", "cert_file", "key_file", "cert_reqs", "ca_cert_data"):
        pool.connection_pool_kw.pop(name, None)
    pool.connection_pool_kw["ssl_context"] = context
    return Server(configuration, pool, agent)


def _context(configuration: Any) -> ssl.SSLContext:
    """Whom to believe and who one is, as a kubeconfig says it. Without verification only where it says that too."""
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
