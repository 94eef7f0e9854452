"""node.certificate: what a program of a node serves, issued again by the authority whose key lies on a node."""

from __future__ import annotations

import datetime as dt
from ipaddress import IPv4Address
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pydantic import Field

from chaos.actions.certificates import Pair, authority
from chaos.actions.files import NodeFile
from chaos.actions.place import Place
from chaos.call import ActionFailed, Node, action
from plumbline.bed import Bed
from plumbline.bed.types import Address, Duration

_CLUSTER_CA = "/etc/kubernetes/pki/ca"


@action("node.certificate")
class NodeCertificate(NodeFile):
    """The certificate in a file of a node, for the same key, but wrong in what is said here; its key stays.

    `by` is a control-plane node, on which the key of the cluster's authority lies.
    """

    made: ClassVar[bool] = True
    by: Node | None = Field(default=None, description="by default the first control-plane node")
    ends: Duration = dt.timedelta(days=365)
    names: tuple[str, ...] | None = Field(default=None, description="by default those that it has")
    addresses: tuple[Address, ...] | None = None
    stranger: bool = Field(default=False, description="signed by somebody whom nobody knows")

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if do != "change":
            return None
        old = x509.load_pem_x509_certificate(place.reach.run(self.node, ["cat", self.path]).encode())
        signer = authority("a stranger") if self.stranger else self._signer(bed, place)
        return self._issued(old, signer).public_bytes(Encoding.PEM).decode()

    def _signer(self, bed: Bed, place: Place) -> Pair:
        control = [name for name, node in bed.kubernetes_nodes.items() if node.kubernetes == "control-plane"]
        if not (self.by or control):
            raise ActionFailed("the bed has no control plane", place=f"bed {bed.bed}")
        both = [
            place.reach.run(self.by or control[0], ["cat", f"{_CLUSTER_CA}.{end}"]).encode() for end in ("crt", "key")
        ]
        key = load_pem_private_key(both[1], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return Pair(x509.load_pem_x509_certificate(both[0]), key)

    def _issued(self, old: x509.Certificate, signer: Pair) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        built = x509.CertificateBuilder(signer.certificate.subject, old.subject, old.public_key())
        built = built.serial_number(x509.random_serial_number())
        built = built.not_valid_before(min(now, now + self.ends) - dt.timedelta(days=60)).not_valid_after(
            now + self.ends
        )
        for extension in old.extensions:
            value = extension.value
            if isinstance(value, x509.SubjectAlternativeName):
                value = self._alternatives(value)
            elif isinstance(value, x509.AuthorityKeyIdentifier):
                value = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
            built = built.add_extension(value, extension.critical)
        return built.sign(signer.key, hashes.SHA256())

    def _alternatives(self, old: x509.SubjectAlternativeName) -> x509.SubjectAlternativeName:
        names = list(self.names) if self.names is not None else old.get_values_for_type(x509.DNSName)
        has = [IPv4Address(str(address)) for address in old.get_values_for_type(x509.IPAddress)]
        addresses = list(self.addresses) if self.addresses is not None else has
        return x509.SubjectAlternativeName([*map(x509.DNSName, names), *map(x509.IPAddress, addresses)])
