"""The way to a cluster of dask.distributed: addresses, certificates and the library itself.

dask's messages are pickles: whoever may send one may run any program. So everything beyond this
machine needs TLS with certificates on both sides, unless the user says otherwise.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tts_book.errors import UserError

if TYPE_CHECKING:
    import distributed

LOCAL = "local"
DEFAULT_PORT = 8786
_ADDRESS = re.compile(
    r"(?:(?P<scheme>tcp|tls)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+)(?::(?P<port>\d{1,5}))?/?"
)
# dask's page about a process has neither TLS nor a password: it is for this machine only.
STATUS_PAGE = "127.0.0.1:0"
# What a folder of certificates holds.
CA_FILE, CERT_FILE, KEY_FILE = "ca.pem", "cert.pem", "key.pem"


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where a scheduler is, and the folder with the certificates for it, if one is named."""

    url: str
    certificates: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether a cluster is started on this machine, for this run."""
        return self.url == LOCAL


def parse_address(text: str, certificates: Path | None, *, insecure: bool) -> ClusterAddress:
    """The address of a scheduler. Raises UserError for what is none, and for one beyond this
    machine without TLS, unless `insecure` allows it."""
    if text == LOCAL:
        return ClusterAddress(LOCAL)
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65_535:
        raise UserError(f'"{text}" is no address of a cluster: write tls://HOST:{DEFAULT_PORT}')
    place = f"{found['host']}:{found['port'] or DEFAULT_PORT}"
    is_open = insecure or _is_loopback(found["host"])
    scheme = found["scheme"] or ("tcp" if is_open and certificates is None else "tls")
    if scheme == "tcp" and not is_open:
        raise UserError(
            f"tcp://{place} has no TLS: whoever reaches that port could run programs on all "
            f"machines. Use tls://{place} with certificates (docs/cluster.md), or --insecure."
        )
    return ClusterAddress(f"{scheme}://{place}", certificates if scheme == "tls" else None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name may lead anywhere
        return False


def import_distributed() -> Any:
    """The library, without lines of its own on standard error. Raises UserError without it."""
    try:
        import dask

        if "distributed" not in sys.modules:
            quiet = ("distributed", "distributed.client", "distributed.gc", "tornado.application")
            dask.config.set({"logging": dict.fromkeys(quiet, "critical")})
        import distributed
    except ImportError:  # dask can be there without it
        raise UserError(
            'A cluster needs the extra cluster: pip install "tts-book[cluster]"'
        ) from None
    return distributed


def make_security(
    address: ClusterAddress, role: Literal["client", "worker"]
) -> distributed.Security | None:
    """The certificates for this address: those in its folder, else those that dask's own settings
    name for this role; None without TLS. Raises UserError where they are missing or damaged."""
    library = import_distributed()
    if not address.url.startswith("tls://"):
        return None
    files: dict[str, str] = {}
    if address.certificates is not None:
        ca, cert, key = (
            str(address.certificates / name) for name in (CA_FILE, CERT_FILE, KEY_FILE)
        )
        files = {"tls_ca_file": ca, f"tls_{role}_cert": cert, f"tls_{role}_key": key}
    security: distributed.Security = library.Security(require_encryption=True, **files)
    try:
        usable = security.get_connection_args(role)["ssl_context"] is not None
    except OSError as error:
        place = address.certificates or "dask's settings"
        raise UserError(
            f"The certificates of {place} cannot be read: {error.strerror or error}. The folder "
            f"needs {CA_FILE}, {CERT_FILE} and {KEY_FILE} (docs/cluster.md)."
        ) from error
    if not usable:
        raise UserError(
            f"{address.url} needs certificates: name their folder with --tls DIR (docs/cluster.md)."
        )
    return security


def explain_refusal(address: ClusterAddress, error: OSError | MemoryError) -> str:
    """Why there is no connection, in one line with what to do."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__
    if cause is not None:
        return (
            f"{address.url} and this machine do not accept each other's certificates "
            f"({cause.reason or cause}): all must be signed with the same ca.pem."
        )
    return (
        f"No scheduler answers at {address.url}. Start one there with: dask scheduler "
        "(docs/cluster.md), or see whether a firewall is in the way."
    )
