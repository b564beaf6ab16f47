"""What every provider's model has in common: its configuration, what it can do, how it refuses, its wire."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import orjson

from realtime_actors.actors import Actor, Ref
from realtime_actors.events import HistoryItem, ModelCommand, ModelEvent, ModelNotice
from realtime_actors.transports import Transport, WebSocketOptions

from .errors import InvalidModel, ProviderRefused, RefusalKind
from .reconnection import Reconnection

__all__ = [
    "Capabilities",
    "Manual",
    "Model",
    "RealtimeModel",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "WireProtocol",
]

Eagerness = Literal["low", "medium", "high", "auto"]

LONGEST_QUOTE = 500
"""How many characters of a provider's own words are repeated in an event or an error."""

_PRINTABLE = re.compile(r"[!-~]+")

# RFC 6455, 7.4.1: what we sent was wrong, so that the same again would be refused again.
_OUR_FAULT = frozenset({1002, 1003, 1007, 1008, 1009, 1010})

_ADVICE: Mapping[RefusalKind, str] = {
    "authentication": "check the key (api_key, often from {variable}) and what it is allowed to do",
    "quota": "check the plan and the billing of the account that the key belongs to",
    "model": "check model_name {model!r}, the url, and that the key has access to the model",
    "protocol": "check the url, and that the model speaks this protocol; or else update realtime_actors",
    "configuration": "correct what it names in the model's or the agent's configuration, and check the url",
}


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a model can do. Ask here, not which provider it is."""

    text: bool
    """Takes messages of the user in text."""
    images: bool
    """Sees pictures."""
    tools: bool
    """Calls functions."""
    cancel: bool
    """Stops a reply when told to; without it, a cancelled reply is only no longer passed on."""
    truncate: bool
    """Can be told how much of a reply was heard."""
    manual_turns: bool
    """Works without turn detection."""
    image_types: frozenset[str] | None = None
    """The media types of the pictures it takes; `None`: whatever the provider takes."""
    largest_image: int | None = None
    """The bytes of the largest picture it takes; `None`: as large as the provider takes."""
    commits_at_once: bool = True
    """A turn that is committed goes to the provider at once; without it, it goes with the request for a reply."""
    delete: bool = False
    """Can be told to forget an item."""
    resumption: bool = False
    """Goes on with a session on a new socket; without it, a new one has to be told what was said."""
    reconfiguration: bool = True
    """Takes other instructions and tools in the middle of a session; without it, they need a new one."""
    history: Literal["items", "turns", "instructions", "none"] = "none"
    """How a new session is told what was said before (`Configure.history`): as items, calls and their results included;
    as turns, in which calls are put into words; as a transcript in the instructions; or not at all."""


@attrs.frozen
class ServerVAD:
    """Turns end after silence. A field left `None` takes the provider's default.

    `threshold` is 0 to 1: higher needs louder speech. `prefix_padding_ms` is how much sound before the
    speech belongs to it, `silence_duration_ms` how long a silence ends a turn. `create_response`: the
    provider replies to each turn by itself. `interrupt_response`: it stops its reply when the user speaks.
    """

    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = True

    def __attrs_post_init__(self) -> None:
        check_number("ServerVAD.threshold", self.threshold, 0, 1)
        check_count("ServerVAD.prefix_padding_ms", self.prefix_padding_ms)
        check_count("ServerVAD.silence_duration_ms", self.silence_duration_ms)
        check_flag("ServerVAD.create_response", self.create_response)
        check_flag("ServerVAD.interrupt_response", self.interrupt_response)


@attrs.frozen
class SemanticVAD:
    """Turns end when what was said sounds finished. A field left `None` takes the provider's default.

    `eagerness` is how soon: low, medium, high or auto. The other fields are those of `ServerVAD`.
    """

    eagerness: Eagerness | None = None
    create_response: bool = True
    interrupt_response: bool = True

    def __attrs_post_init__(self) -> None:
        check_choice("SemanticVAD.eagerness", self.eagerness, get_args(Eagerness))
        check_flag("SemanticVAD.create_response", self.create_response)
        check_flag("SemanticVAD.interrupt_response", self.interrupt_response)


@attrs.frozen
class Manual:
    """No turn detection: the user's turn ends when the frontend says so."""


TurnDetection = ServerVAD | SemanticVAD | Manual


class WireProtocol(ABC):
    """What a provider's frames mean: a pure translator with the state of one socket. It does no I/O.

    A `str` is a text frame, `bytes` are a binary one.
    """

    __slots__ = ()

    @abstractmethod
    def encode(self, command: ModelCommand) -> list[str | bytes]:
        """The frames that carry the command, in order; none where the wire has no word for it.

        Raises `TypeError` when a tool's schema holds something that JSON cannot.
        """

    @abstractmethod
    def decode(self, frame: str | bytes) -> list[ModelEvent | ModelNotice]:
        """What the frame says, in order; nothing for what is of no interest. It never raises.

        A frame that makes no sense becomes a `ModelError` with `error_type` "protocol_error" that says why;
        the frames after it are read as if it had not come.
        """

    def seed(self, history: Sequence[HistoryItem]) -> list[str | bytes]:
        """The frames that tell a new session what was said before it, sent once its configuration is accepted.

        Where the wire has no word for it, `encode` has put it into the configuration.
        """
        return []

    @property
    def holds(self) -> bool:
        """Whether the commands that follow must wait: the provider would lose them before it has answered the last."""
        return False

    @property
    def settled(self) -> bool:
        """Whether nothing would be lost if a new session went on from here."""
        return True

    def patience(self, command: ModelCommand) -> float | None:
        """Seconds to wait before `unanswered` is asked about a command that was sent; `None`: it is not to be asked."""
        return None

    def unanswered(self, command: ModelCommand) -> list[ModelEvent | ModelNotice]:
        """What to take for granted of a command that was sent `patience` ago; nothing if it was answered.

        For wires that leave out what others say, above all the end of a cancelled reply.
        """
        return []


def _json_object(value: object) -> dict[str, Any]:
    """A copy of `extra`, so that what was checked is what is sent."""
    try:
        if isinstance(value, Mapping):
            return orjson.loads(orjson.dumps(dict(value)))  # pyright: ignore[reportUnknownArgumentType] # JSON is checked by dumping it
    except TypeError as error:
        raise InvalidModel(f"extra must be a JSON object of session fields, and this is not one: {error}") from None
    raise InvalidModel(f"extra must be a mapping of session fields, not {type(value).__name__}")


def _without_query(url: object) -> str:
    """For a repr: some keep a key in the query."""
    return repr(url.partition("?")[0] if isinstance(url, str) else url)


@attrs.frozen(kw_only=True)
class Model(ABC):
    """What an agent has to know of its model, whoever provides it and however it is reached.

    `turn_detection` says who ends the user's turns. A provider with a WebSocket is a `RealtimeModel`; for anything
    else derive from this class, and write the actor that `connection` returns.
    """

    provider: ClassVar[str]
    """The provider's name, as messages give it."""
    input_rate: ClassVar[int]
    """The rate in Hz of the audio the model takes: PCM16 little-endian mono."""

    model_name: str
    turn_detection: TurnDetection = attrs.field(factory=ServerVAD)

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the model can do."""

    @property
    def speaks(self) -> bool:
        """Whether its replies are heard, and their words are what is said; else they are read."""
        return True

    @property
    def interrupts(self) -> bool:
        """Whether the provider itself cancels its reply when it hears the user speak."""
        return not isinstance(self.turn_detection, Manual) and self.turn_detection.interrupt_response

    @abstractmethod
    def connection(self, owner: Ref, transport: Transport, options: WebSocketOptions) -> Actor:
        """The actor that talks to the provider for the agent `owner`, which spawns it; a new one at each call.

        It is told `ModelCommand`s: `Configure` and `CancelResponse` belong in its control lane. It answers
        `WaitReady` when the model is ready, and tells its owner `ConnectionReady`, then `ModelEvent`s and
        `ModelNotice`s: `SessionConfigured` for every later `Configure`, `ItemAdded` for every item. Where it lost
        its provider and comes back it tells `ConnectionLost`, and is told `Resume`. It is told `Abandon` when the model
        has been silent for too long. Its crash is the agent's, or the next model takes over.
        """


@attrs.frozen(kw_only=True)
class RealtimeModel(Model):
    """A provider's model behind a WebSocket, and how to talk to it. Wrong values raise `InvalidModel`.

    Common to all: `voice` is one of the provider's voices (`None` takes its default);
    `enable_input_audio_transcription` asks for the words of the user; `turn_detection` says who ends the
    user's turns; `url` is another endpoint, a simulator or a proxy (`ws://` or `wss://`); `extra` are session
    fields of the provider's that have no name here: merged into what is configured, where they win;
    `interrupts` knows nothing of them. `session_limit` is how many seconds the provider lets a session last (`None`:
    any): before its end, between two turns, the conversation moves on to a new one. `reconnection` is how hard a lost
    session is tried to be had again.
    """

    key_variable: ClassVar[str]
    """The environment variable where its key usually is. It is only named in advice, never read."""
    output_rate: ClassVar[int]
    """The rate in Hz of the audio the model gives: PCM16 little-endian mono."""
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {}
    """The provider's error codes after which to try again is useless."""

    api_key: str = attrs.field(repr=False)
    voice: str | None = None
    enable_input_audio_transcription: bool = True
    url: str | None = attrs.field(default=None, repr=_without_query)
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], converter=_json_object, repr=False, hash=False)
    session_limit: float | None = None
    reconnection: Reconnection = attrs.field(default=Reconnection(), repr=False)

    def __attrs_post_init__(self) -> None:
        check_name("model_name", self.model_name)
        self._check_credentials()
        if self.voice is not None:
            check_name("voice", self.voice)
        check_flag("enable_input_audio_transcription", self.enable_input_audio_transcription)
        if not isinstance(self.turn_detection, TurnDetection):  # pyright: ignore[reportUnnecessaryIsInstance] # callers need not use a type checker
            raise InvalidModel(
                "turn_detection must be ServerVAD(...), SemanticVAD(...) or Manual(); LocalVAD(...) is the agent's: "
                "RealtimeAgent(turn_detection=...)"
            )
        if self.url is not None:
            check_url("url", self.url)
        check_number("session_limit", self.session_limit, 1, math.inf)

    def _check_credentials(self) -> None:
        check_secret("api_key", self.api_key, self.key_variable)

    def connection(self, owner: Ref, transport: Transport, options: WebSocketOptions) -> Actor:
        from .connection import ProviderConnection  # noqa: PLC0415 - it is written in terms of this class

        return ProviderConnection(self, owner, transport, options)

    @abstractmethod
    def endpoint(self) -> str:
        """The whole WebSocket URL, query included."""

    def resuming(self, handle: str) -> str:
        """The URL that goes on with the session of this handle (`SessionResumable`), on wires that name it there."""
        return self.endpoint()

    @abstractmethod
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers of the handshake. They hold the key: never log them."""

    @abstractmethod
    def protocol(self) -> WireProtocol:
        """A translator for one new socket."""

    def quoted(self, text: str) -> str:
        """The provider's words, fit to be repeated: one line, not long, and without the key."""
        if len(self.api_key) >= 8:  # a shorter one is a placeholder, and would be found inside of words
            text = text.replace(self.api_key, "(the key)")
        text = " ".join(text[: 2 * LONGEST_QUOTE].split())
        return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"

    def refused(self, code: str, message: str, kind: RefusalKind | None = None) -> ProviderRefused:
        """The error for what the provider refuses for good, with its code and words.

        `kind` is by default what the code stands for, "configuration" if that is not known.
        """
        kind = kind or self.fatal_codes.get(code, "configuration")
        advice = _ADVICE[kind].format(variable=self.key_variable, model=self.model_name)
        said = self.quoted(message)
        code = self.quoted(code)
        what = f"{said} ({code})" if said and code and code not in said else said or code
        return ProviderRefused(kind, code, f"{self.provider} refuses: {what}. To do: {advice}.")

    def refusal(self, status: int, body: bytes) -> ProviderRefused | None:
        """Why a handshake that got this HTTP status is refused for good; `None` if it is worth retrying."""
        code, message = _http_error(body)
        kind = self.fatal_codes.get(code) or _kind_of_status(status)
        if kind is None:
            return None
        return self.refused(
            code or f"HTTP {status}", message or f"the handshake got HTTP status {status} instead of a WebSocket", kind
        )

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        """Why a socket that was closed with this code is refused for good; `None` if a new one may do.

        `code` is `None` where the socket was lost without a close. The reason counts as well: it often is the
        provider's error code.
        """
        for word in re.findall(r"\w+", reason[:LONGEST_QUOTE]):
            if word in self.fatal_codes:
                return self.refused(word, reason)
        if code in _OUR_FAULT:
            return self.refused(f"close code {code}", reason or "the socket was closed", "protocol")
        return None


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """The URL with the parameters added to its query, except those that it has already."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    present = {name for name, _ in query}
    query += [(name, value) for name, value in parameters.items() if name not in present]
    return parts._replace(query=urlencode(query)).geturl()


def check_name(field: str, value: object) -> None:
    """`value` must be a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidModel(f"{field} must be a text that is not empty, not {value!r:.80}")


def check_secret(field: str, value: object, variable: str) -> None:
    """`value` must be fit for a header. The message never shows it."""
    if not isinstance(value, str) or not value:
        raise InvalidModel(f"{field} must be a text that is not empty: get a key, for example from {variable}")
    if not _PRINTABLE.fullmatch(value):
        raise InvalidModel(f"{field} has blanks, line ends or other signs in it that no key has: strip them")


def check_flag(field: str, value: object) -> None:
    """`value` must be true or false."""
    if not isinstance(value, bool):
        raise InvalidModel(f"{field} must be True or False, not {value!r:.80}")


def check_number(field: str, value: object, least: float, most: float) -> None:
    """`value` must be a number within the range, or `None`."""
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most
    ):
        raise InvalidModel(f"{field} must be a number from {least} to {most}, not {value!r:.80}")


def check_count(field: str, value: object, least: int = 0, most: int | None = None) -> None:
    """`value` must be a whole number within the range, or `None`."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        up_to = "up" if most is None else f"to {most}"
        raise InvalidModel(f"{field} must be a whole number from {least} {up_to}, not {value!r:.80}")


def check_choice(field: str, value: object, choices: Sequence[str]) -> None:
    """`value` must be one of the choices, or `None`."""
    if value is not None and value not in choices:
        raise InvalidModel(f"{field} must be one of {', '.join(choices)}, not {value!r:.80}")


def check_url(field: str, value: object) -> None:
    """`value` must be a WebSocket URL. The message does not repeat it: it may hold a secret."""
    wrong = f"{field} must be a WebSocket URL such as wss://example.org/v1/realtime or ws://127.0.0.1:8080/"
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise InvalidModel(wrong)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an impossible port or address
        raise InvalidModel(wrong) from None
    if not valid or parts.fragment:
        raise InvalidModel(wrong)
    if "@" in parts.netloc:
        raise InvalidModel(f"{field} has a user name or password in it: give the key as api_key instead")


def _kind_of_status(status: int) -> RefusalKind | None:
    """What an HTTP status of a refused handshake means; `None` where another attempt may succeed."""
    match status:
        case 401 | 403:
            return "authentication"
        case 402:
            return "quota"
        case 404:
            return "model"
        case 408 | 425 | 429:  # a rate limit passes; a spent quota has its own code in the body
            return None
        case _ if status >= 500:
            return None
        case _:  # a redirect, a page, a bad request: the same again will be answered the same
            return "configuration"


def _http_error(body: bytes) -> tuple[str, str]:
    """The code and message of `{"error": {"code", "message"}}`, or without the `error`, as far as they are there."""
    try:
        answer: Any = orjson.loads(body)
        error: Any = answer if "message" in answer else answer["error"]
        code, message = error.get("code"), error.get("message")
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", body.decode() if body.isascii() and b"<" not in body else ""  # a line of text, not a page
    return (code if isinstance(code, str) else ""), (message if isinstance(message, str) else "")
