"""Errors of the gateway.

::

    RealtimeError
    └── GatewayError
        ├── AccessDenied            a frontend may not come in
        ├── InvalidSettings         a setting has a wrong value (a ValueError too)
        └── InvalidSessionConfig    the config of a client_session_create has a wrong value
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["AccessDenied", "GatewayError", "InvalidSessionConfig", "InvalidSettings"]


class GatewayError(RealtimeError):
    """Base class of the gateway's errors."""


class AccessDenied(GatewayError):
    """For `authenticate` to raise: the frontend is closed with 4401 and these words, which are logged too.

    They must not hold what the frontend showed. 123 bytes of them reach it.
    """


class InvalidSettings(GatewayError, ValueError):
    """A setting has a wrong value; the message names it and says what it may be, and never shows a token."""


class InvalidSessionConfig(GatewayError):
    """The config of a `client_session_create` has a wrong value; the frontend is told these words.

    An agent factory may raise it (or any other `RealtimeError`) to turn a request down.
    """
