"""Errors of the providers layer.

::

    RealtimeError
    └── ProviderError
        ├── InvalidModel            a model's configuration has a wrong value (a ValueError too)
        ├── ProviderRefused         the provider will not serve us: to try again is useless
        └── ProviderUnavailable     the attempts to reach it are spent; __cause__ is the last failure
"""

from typing import Literal

from realtime_actors.actors.errors import RealtimeError

__all__ = ["InvalidModel", "ProviderError", "ProviderRefused", "ProviderUnavailable", "RefusalKind"]

RefusalKind = Literal["authentication", "quota", "model", "protocol", "configuration"]
"""Why a provider refuses for good, and so whose hands can change it."""


class ProviderError(RealtimeError):
    """Base class of the errors that have to do with a provider."""


class InvalidModel(ProviderError, ValueError):
    """A model's configuration has a wrong value; the message names the field and what it may be."""


class ProviderRefused(ProviderError):
    """The provider will not serve us however often we try.

    `kind` says what is wrong, `code` is the provider's word for it (or the HTTP status, or the close code).
    """

    def __init__(self, kind: RefusalKind, code: str, message: str) -> None:
        super().__init__(message)
        self.kind: RefusalKind = kind
        self.code = code
        self.message = message


class ProviderUnavailable(ProviderError):
    """The provider could not be reached within the attempts allowed; `__cause__` is the last failure."""
