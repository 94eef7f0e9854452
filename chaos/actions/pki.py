"""tls.certificate, tls.key, ssh.certificate, renewer.start and step.hidden: what step-ca gave, and what renews it.

Keys of the authority stay on its node: what is signed with them is signed there.
"""

from __future__ import annotations

import datetime as dt
import shlex
from typing import TYPE_CHECKING, ClassVar, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pydantic import Field

from chaos.actions.certificates import Pair, authority, new_key
from chaos.actions.files import NodeFile
from chaos.actions.place import Commanded, Commands, OnNode, Place
from chaos.actions.words import filled
from chaos.call import ActionFailed, Call, action
from plumbline.bed import Bed
from plumbline.bed.model import StepCa
from plumbline.bed.types import Duration
from plumbline.facts.renewers import moment

if TYPE_CHECKING:
    from chaos.reach import Reach

_STEP = "/usr/bin/step"
_END = "-----END CERTIFICATE-----"
Shape = Literal["whole", "empty", "truncated", "der", "backwards", "leaf", "key"]


@action("tls.certificate")
class TlsCertificate(NodeFile):
    """A certificate of a service, as step-ca would sign it for the key that is there, but for what is said here.

    `shape` is what is made of the file: whole, empty, truncated, der, backwards (its issuer first), leaf (alone), or key
    (with a private key in it, made on the spot).
    """

    made: ClassVar[bool] = True
    begins: Duration = dt.timedelta(minutes=1)
    ends: Duration | None = Field(default=None, description="from now on; by default it lives as long as it did")
    expired: bool = Field(default=False, description="it ended a minute ago")
    future: bool = Field(default=False, description="it begins in an hour")
    names: tuple[str, ...] | None = Field(default=None, description="by default those that it has; addresses stay")
    stranger: bool = Field(default=False, description="signed by somebody whom nobody knows")
    other_key: bool = Field(default=False, description="for a key that lies nowhere")
    shape: Shape = "whole"

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if do != "change":
            return None
        pem = place.reach.run(self.node, ["cat", self.path])
        old = x509.load_pem_x509_certificates(pem.encode())
        if self.shape != "whole":
            return _shaped(self.shape, pem)
        signer = authority("a stranger") if self.stranger else _signer(bed, place)
        made = self._issued(old[0], signer)
        return "".join(c.public_bytes(Encoding.PEM).decode() for c in (made, signer.certificate))

    def _issued(self, old: x509.Certificate, signer: Pair) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        lifetime = old.not_valid_after_utc - old.not_valid_before_utc
        starts = now - self.begins
        ends = now + self.ends if self.ends is not None else starts + lifetime
        if self.expired:
            starts, ends = now - lifetime - dt.timedelta(minutes=1), now - dt.timedelta(minutes=1)
        elif self.future:
            starts, ends = now + dt.timedelta(hours=1), now + dt.timedelta(hours=1) + lifetime
        key = new_key().public_key() if self.other_key else old.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        built = x509.CertificateBuilder(signer.certificate.subject, old.subject, key)
        built = built.serial_number(x509.random_serial_number()).not_valid_before(starts).not_valid_after(ends)
        for extension in old.extensions:
            value = extension.value
            if isinstance(value, x509.SubjectAlternativeName) and self.names is not None:
                addresses = value.get_values_for_type(x509.IPAddress)
                value = x509.SubjectAlternativeName([*map(x509.DNSName, self.names), *map(x509.IPAddress, addresses)])
            elif isinstance(value, x509.AuthorityKeyIdentifier):
                value = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
            elif isinstance(value, x509.SubjectKeyIdentifier):
                value = x509.SubjectKeyIdentifier.from_public_key(key)
            built = built.add_extension(value, extension.critical)
        return built.sign(signer.key, hashes.SHA256())


def _shaped(shape: Shape, pem: str) -> str:
    blocks = [f"{block.strip()}\n{_END}\n" for block in pem.split(_END) if block.strip()]
    match shape:
        case "empty":
            return ""
        case "truncated":
            return pem[: len(blocks[0]) // 2]
        case "der":
            der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
            # Bytes above 7F are told as UTF-8: what a program refuses is its not being PEM.
            return der.decode("latin-1")
        case "backwards":
            return "".join(reversed(blocks))
        case "leaf":
            return blocks[0]
        case _:
            return pem + Pair(x509.load_pem_x509_certificate(pem.encode()), new_key()).key_pem


@action("tls.key")
class TlsKey(NodeFile):
    """The key of a service's certificate: a new one that belongs to no certificate, or one that a password protects."""

    made: ClassVar[bool] = True
    protected: bool = False

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if do != "change":
            return None
        form = serialization.BestAvailableEncryption(b"a password") if self.protected else serialization.NoEncryption()
        return new_key().private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, form).decode()


@action("ssh.certificate")
class SshCertificate(NodeFile):
    """A certificate of SSH for the public key that lies beside it, in order in all that is not said here to be wrong.

    The path is that of the certificate, KEY-cert.pub.
    """

    made: ClassVar[bool] = True
    of: Literal["host", "user"]
    principals: tuple[str, ...] = Field(min_length=1)
    begins: Duration = dt.timedelta(minutes=1)
    ends: Duration = dt.timedelta(hours=24)
    expired: bool = Field(default=False, description="it ended a minute ago")
    stranger: bool = Field(default=False, description="signed by somebody whom nobody knows")
    other_key: bool = Field(default=False, description="for a key that lies nowhere")
    by: Literal["host", "user"] | None = Field(
        default=None, description="which authority signs; by default that of `of`"
    )
    command: str | None = Field(
        default=None, pattern=r"^[\w/-]+$", description="a critical option: this alone may be run"
    )

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if do != "change":
            return None
        ca = _declared(bed)
        public = place.reach.run(self.node, ["cat", f"{self.path.removesuffix('-cert.pub')}.pub"])
        signer = "$d/ca" if self.stranger else f"{ca.folder}/secrets/ssh_{self.by or self.of}_ca_key"
        begins, ends = int(self.begins.total_seconds()), int(self.ends.total_seconds())
        valid = f"-{begins + ends}s:-60s" if self.expired else f"-{begins}s:+{ends}s"
        options = [
            *(["-h"] if self.of == "host" else []),
            *(["-O", f"force-command={self.command}"] if self.command else []),
        ]
        words = shlex.join(
            [*options, "-I", self.node, "-n", ",".join(filled(bed, name) for name in self.principals), "-V", valid]
        )
        key = 'ssh-keygen -q -t ed25519 -N "" -f' if self.other_key or self.stranger else "true"
        script = (
            "set -e; umask 077; d=$(mktemp -d); trap 'rm -rf $d' EXIT; cat > $d/k.pub; "
            + (f"{key} $d/o; cp $d/o.pub $d/k.pub; " if self.other_key else "")
            + (f"{key} $d/ca; " if self.stranger else "")
            + f"ssh-keygen -q -s {signer} -z $(od -An -N4 -tu4 /dev/urandom | tr -d ' ') {words} $d/k.pub; cat $d/k-cert.pub"
        )
        return place.reach.run(ca.node, ["sh", "-c", script], input=public)


@action("renewer.start")
class RenewerStart(OnNode, Commanded):
    """A unit that renews is started, whatever comes of it; its undo starts it again, so that systemd forgets a failure."""

    verb: ClassVar[str] = "start"
    kind: ClassVar[str] = "renewer"
    always: ClassVar[bool] = True
    unit: str = Field(pattern=r"^[\w@.-]+$")
    failed: bool | None = Field(default=None, description="whether it has failed then; not asked if it is not said")

    def commands(self, bed: Bed, place: Place) -> Commands:
        # A timer beside it may be about to start it too.
        return [["sh", "-c", 'systemctl start "$1" || true', "start", self.unit]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, unit=self.unit, failed=False)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        if self.failed is None:
            return True
        return (place.ask(["systemctl", "--quiet", "is-failed", self.unit]).code == 0) is self.failed


@action("node.owner")
class NodeOwner(OnNode, Commanded):
    """The user whose a file is."""

    verb: ClassVar[str] = "owner"
    path: str = Field(pattern="^/[^*]+$")
    owner: str = Field(pattern="^[a-z][a-z0-9-]*$")

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [["chown", self.owner, self.path]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, path=self.path, owner=self._is(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._is(place) == self.owner

    def _is(self, place: Place) -> str:
        return place.ask(["stat", "--format=%U", self.path]).out.strip()


@action("step.hidden")
class StepHidden(OnNode, Commanded):
    """`step` cannot be run: an empty file lies over it. Its undo has all that renews on the node look once more."""

    verb: ClassVar[str] = "hidden"
    kind: ClassVar[str] = "step"
    hidden: bool = True

    def commands(self, bed: Bed, place: Place) -> Commands:
        if self.hidden:
            return [["mount", "--bind", "/dev/null", _STEP]]
        # Else their last look would have been a mistake until the next one. A timer may be about to start one too.
        return [["umount", _STEP], ["sh", "-c", 'systemctl start "$@" || true', "start", *_renewers(bed, self.node)]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, hidden=not self._usable(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._usable(place) is not self.hidden

    def _usable(self, place: Place) -> bool:
        return place.ask(["test", "-x", _STEP]).code == 0


class _Look(OnNode):
    only_looks: ClassVar[bool] = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        """Nothing: this only looks."""


@action("tls.age")
class TlsAge(_Look):
    """Whether a certificate in a file began so long ago, in seconds."""

    path: str = Field(pattern="^/[^*]+$")
    least: int = 0
    most: int = 10**9

    def holds(self, bed: Bed, reach: Reach) -> bool:
        said = self.places(bed, reach)[0].ask(["cat", self.path])
        try:
            leaf = x509.load_pem_x509_certificate(said.out.encode())
        except ValueError:
            return False
        return self.least <= (dt.datetime.now(dt.UTC) - leaf.not_valid_before_utc).total_seconds() <= self.most


@action("renewer.looked")
class RenewerLooked(_Look):
    """Whether a timer looked last so long ago, in seconds."""

    unit: str = Field(pattern=r"^[\w@.-]+$")
    least: int = 0
    most: int = 10**9

    def holds(self, bed: Bed, reach: Reach) -> bool:
        asked = ["env", "TZ=UTC", "systemctl", "show", "--property=LastTriggerUSec", "--value", self.unit]
        looked = moment(self.places(bed, reach)[0].ask(asked).out.strip())
        return looked is not None and self.least <= (dt.datetime.now(dt.UTC) - looked).total_seconds() <= self.most


def _declared(bed: Bed) -> StepCa:
    if bed.step_ca is None:
        raise ActionFailed("the bed declares no authority", place=f"bed {bed.bed}")
    return bed.step_ca


def _renewers(bed: Bed, node: str) -> list[str]:
    """The units of a node that renew what it has."""
    found = [f"cert-renewer@{c.unit}.service" for c in bed.service_certificates.values() if node in c.on]
    if bed.ssh_certificates and node in bed.ssh_certificates.on:
        ssh = bed.ssh_certificates
        found += [f"{unit}.service" for unit in (ssh.renewer, *(user.renewer for user in ssh.users.values()))]
    return found


def _signer(bed: Bed, place: Place) -> Pair:
    """The authority that signs services, read on its node over the same way by which all else is done."""
    ca = _declared(bed)
    files = (f"{ca.folder}/certs/intermediate_ca.crt", f"{ca.folder}/secrets/intermediate_ca_key")
    certificate, key = (place.reach.run(ca.node, ["cat", file]).encode() for file in files)
    loaded = load_pem_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Pair(x509.load_pem_x509_certificate(certificate), loaded)
