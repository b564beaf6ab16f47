"""The chat room, as soon as there is one."""

from collections.abc import Sequence
from typing import NoReturn

from .agent import RealtimeAgent
from .errors import NotSupported

__all__ = ["ChatRoom"]


class ChatRoom:
    """Not here yet: making one raises `NotSupported`."""

    def __init__(self, agents: Sequence[RealtimeAgent]) -> NoReturn:
        raise NotSupported("ChatRoom is not here yet: one agent can be given another's events with handle_input()")
