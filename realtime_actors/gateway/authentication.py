"""Who a frontend is: a hook of the host's, and bearer tokens as the one that is built in."""

from __future__ import annotations

import hmac
import logging
import traceback
from typing import cast
from urllib.parse import unquote

import attrs
import trio

from realtime_actors.transports import Request

from .admission import TOKEN_SUBPROTOCOL, Admission, Refusal, parse_path
from .errors import AccessDenied
from .request import Authenticate
from .settings import GatewaySettings

__all__ = ["BearerToken", "authenticated", "authenticator", "bearer_tokens"]

log = logging.getLogger("realtime_actors.gateway")


@attrs.frozen
class BearerToken:
    """Lets in who shows this token, as the user that the path names."""

    token: str = attrs.field(repr=False)

    async def __call__(self, request: Request) -> str:
        """The path's user id. Raises `AccessDenied`."""
        expected = self.token.encode()
        # A list, not a generator: how long it takes must not tell which one matched.
        if not any([hmac.compare_digest(shown, expected) for shown in _shown(request)]):  # noqa: C419
            raise AccessDenied("a valid token is needed, in Authorization or as a subprotocol")
        user_id, _ = parse_path(request.path) or ("", "")
        return user_id


def bearer_tokens(request: Request) -> list[str]:
    """The tokens that a request shows: in `Authorization: Bearer …`, and as a subprotocol `realtime-actors.token.…`.

    That of a subprotocol is there twice if percent-decoding makes a difference. Compare secrets with
    `hmac.compare_digest`.
    """
    return list(dict.fromkeys(token.decode("utf-8", "replace") for token in _shown(request)))


def _shown(request: Request) -> list[bytes]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    shown = [credentials.strip().encode("latin-1")] if scheme.lower() == "bearer" else []
    for name in request.subprotocols:
        if name.startswith(TOKEN_SUBPROTOCOL):
            raw = name.removeprefix(TOKEN_SUBPROTOCOL)
            shown += [raw.encode("latin-1"), unquote(raw).encode()]
    return shown


def authenticator(settings: GatewaySettings) -> Authenticate | None:
    """What finds out who a frontend is; None lets everybody in."""
    return settings.authenticate if settings.token is None else BearerToken(settings.token)


async def authenticated(
    admission: Admission, request: Request, authenticate: Authenticate, within: float
) -> Admission | Refusal:
    """Ask the hook, for `within` seconds at most; without its answer nobody gets in."""
    try:
        with trio.move_on_after(within) as asking:
            user_id = cast("object", await authenticate(request))
            if not isinstance(user_id, str) or not user_id:
                raise TypeError("authenticate has to give the user's id, or to raise AccessDenied")
            return attrs.evolve(admission, user_id=user_id)
    except AccessDenied as error:
        return Refusal(4401, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a host's code raises
        # Without the error's own words: they may quote what the frontend showed.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("authenticate failed with %s:\n%s", type(error).__name__, where)
        return Refusal(1011, "an internal error: it could not be found out who you are")
    assert asking.cancelled_caught
    log.warning("authenticate gave no answer for %s within %g s", request.remote, within)
    return Refusal(1013, "it could not be found out in time who you are; try again later")
