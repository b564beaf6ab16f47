"""OpenAI's wire as others speak it: what a session says, and what it is told, put into other words."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from realtime_actors.simulators.effects import After, Effect, Send
from realtime_actors.simulators.openai.checks import Json, Rejected
from realtime_actors.simulators.openai.response import Response
from realtime_actors.simulators.openai.session import Session
from realtime_actors.simulators.steps import Step

__all__ = ["Dialect", "DialectSession"]


class Dialect(ABC):
    """The words of one connection."""

    @abstractmethod
    def heard(self, message: Json) -> Json:
        """A client event, in the words of OpenAI's GA wire.

        Raises:
            Rejected: it cannot be put into them.
        """

    @abstractmethod
    def said(self, event: Json) -> Sequence[Json]:
        """A server event of OpenAI's GA wire, in the words of this dialect; none if it does not have it."""


class DialectSession:
    """A session of OpenAI's wire for a client that speaks a dialect of it."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    def start(self) -> list[Effect]:
        return self._put(self._session.start())

    def receive(self, message: object) -> list[Effect]:
        if not isinstance(message, dict):
            return self._put(self._session.receive(message))
        event = cast(Json, message)
        try:
            return self._put(self._session.receive(self._dialect.heard(event)))
        except Rejected as error:
            return self._put(self._session.reject(error, event))

    def refuse(self, message: str) -> list[Effect]:
        return self._put(self._session.refuse(message))

    def fault(self, message: str, code: str | None, kind: str) -> list[Effect]:
        return self._put(self._session.fault(message, code, kind))

    def expire(self, lifetime: float) -> list[Effect]:
        return self._put(self._session.expire(lifetime))

    def generate(self, response_id: str, step: Step) -> list[Effect]:
        return self._put(self._session.generate(response_id, step))

    def overlap(self, response: Response) -> list[Effect]:
        return self._put(self._session.overlap(response))

    def unheard(self, response: Response) -> list[str]:
        return self._session.unheard(response)

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        return self._put(self._session.transcribed(item_id, text))

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]:
        return self._put(self._session.transcription_failed(item_id, message))

    def _put(self, effects: Sequence[Effect]) -> list[Effect]:
        result: list[Effect] = []
        for effect in effects:
            match effect:
                case Send(event):
                    result += map(Send, self._dialect.said(event))
                case After(seconds, then):
                    result.append(After(seconds, partial(self._later, then)))
                case _:
                    result.append(effect)
        return result

    def _later(self, then: Callable[[], list[Effect]]) -> list[Effect]:
        return self._put(then())
