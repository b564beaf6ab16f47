"""What a server says of where it listens: an address that one can connect to."""

import ipaddress
from urllib.parse import urlsplit

__all__ = ["connectable", "everywhere"]


def connectable(url: str) -> str:
    """This URL, with this machine's own address in place of `0.0.0.0` and `::`, which nobody can connect to."""
    address = _every(url)
    if address is None:
        return url
    shown = urlsplit(url)
    own = "127.0.0.1" if address.version == 4 else "[::1]"
    return shown._replace(netloc=f"{own}:{shown.port}").geturl()


def everywhere(url: str) -> str:
    """A line to say that this URL stands for every address of the machine; nothing where it does not."""
    address = _every(url)
    if address is None:
        return ""
    port = urlsplit(url).port
    return f"It listens on port {port} of all IPv{address.version} addresses of this machine ({address}).\n"


def _every(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:  # a name
        return None
    return address if address.is_unspecified else None
