"""TLS for a server, by certificate files."""

import ssl
from pathlib import Path

from realtime_actors.transports.errors import InvalidCertificate

__all__ = ["load_certificate"]


def load_certificate(certificate: str | Path, private_key: str | Path | None = None) -> ssl.SSLContext:
    """What `serve` speaks TLS with: a certificate (with its chain) and its key, in PEM; TLS 1.2 or later.

    Without `private_key` the key is in the certificate's file. Blocks for two small files. Raises
    `InvalidCertificate`.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # costs a server more than the client that asks for it
    key = certificate if private_key is None else private_key
    for path, what in ((certificate, "certificate"), (key, "private key")):
        _check_readable(Path(path), what)
    try:
        # The password is asked for only if there is one; without this, on the terminal.
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except _Encrypted:
        raise InvalidCertificate(
            f"the private key in {key} is encrypted: decrypt it, and let only the server read it"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidCertificate(
                f"the private key in {key} is not that of the first certificate in {certificate}"
            ) from None
        raise InvalidCertificate(
            f"{certificate} has to hold a certificate and {key} its private key, both in PEM; one of them does not"
        ) from None
    return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


def _check_readable(path: Path, what: str) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise InvalidCertificate(f"the {what} {path} cannot be read: {error.strerror}") from None
