"""The chat room, as soon as there is one."""

from collections.abc import Sequence
from typing import NoReturn

from .agent import RealtimeAgent
from .errors import NotSupported
from .missing import missing

__all__ = ["ChatRoom"]

__getattr__ = missing(
    __name__,
    dict.fromkeys(
        (
            "FanoutPipeline",
            "MsgHub",
            "SequentialPipeline",
            "fanout_pipeline",
            "sequential_pipeline",
            "stream_printing_messages",
        ),
        "it is for agents that are not here; import it from agentscope, which may be used beside this package",
    ),
)


class ChatRoom:
    """Not here yet: making one raises `NotSupported`."""

    def __init__(self, agents: Sequence[RealtimeAgent]) -> NoReturn:
        raise NotSupported("ChatRoom is not here yet: one agent can be given another's events with handle_input()")
