"""What was said in a conversation, kept within bounds: plain code without I/O, clock or randomness.

It is kept in the process only, for the life of the agent, and never written anywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import attrs

from realtime_actors.events import (
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentSpeech,
    AppendImage,
    AppendText,
    AppendToolResult,
    Blob,
    HistoryItem,
    Note,
    ServerEvent,
    ToolCallItem,
    ToolResult,
    ToolResultItem,
    UserImage,
    UserSpeech,
    UserText,
)

from .errors import InvalidMemory
from .item_text import Pace, call_id_of, is_whole, length, shortened, words_up_to

__all__ = ["AddText", "Conversation", "GetHistory", "Memory", "Seed", "Summarise"]

Summarise = Callable[[Sequence[HistoryItem]], Awaitable[str]]
"""Makes one text of the oldest items of a conversation."""

_REMEMBERED = 256
"""Ids of what is gone, so that words that come late for it are known as such."""


@attrs.frozen(kw_only=True)
class Memory:
    """How much of a conversation an agent keeps. Beyond a bound the oldest goes first.

    `max_items`, and `max_characters` of all texts together; a single text takes a quarter of these at most, and what
    is longer is cut. `max_image_bytes`: of pictures, the newest are kept up to this many bytes; of the others only that
    they were shown. `summarise` is given the oldest half when three quarters of a bound are reached, and what it
    returns within `summary_timeout` seconds takes their place; if it fails they stay. Raises `InvalidMemory`.
    """

    max_items: int = 200
    max_characters: int = 100_000
    max_image_bytes: int = 0
    summarise: Summarise | None = None
    summary_timeout: float = 30.0

    def __attrs_post_init__(self) -> None:
        for name in ("max_items", "max_characters", "max_image_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidMemory(f"Memory.{name} must be a whole number, 0 or more, not {value!r:.80}")
        if self.summarise is not None and not callable(self.summarise):
            raise InvalidMemory("Memory.summarise must be an async function of a sequence of items")
        if not self.summary_timeout > 0:
            raise InvalidMemory(f"Memory.summary_timeout must be more than 0 s, not {self.summary_timeout!r:.80}")


@attrs.frozen
class AddText:
    """Tell an agent this: words for its conversation, as if a user had written them, that ask for no reply."""

    text: str


@attrs.frozen
class GetHistory:
    """Ask an agent this for the conversation so far: it answers with a `History`."""


@attrs.frozen
class Seed:
    """What a new session is given."""

    items: tuple[HistoryItem, ...] = ()
    since: tuple[HistoryItem, ...] = ()
    """Those of the items that a session does not know which the provider goes on with."""
    complete: bool = True
    """Whether that is all that was said: nothing is left out for its length, no picture and no speech without words."""

    def has(self, item_id: str) -> bool:
        """Whether the item of this id is among them."""
        return any(item.id == item_id for item in self.items)

    @property
    def calls(self) -> frozenset[str]:
        """The ids of the calls among the items."""
        return frozenset(item.call_id for item in self.items if isinstance(item, ToolCallItem))


@attrs.define(eq=False)
class _Entry:
    """An item, and what else there is to know of it."""

    item: HistoryItem
    size: int
    """Characters of its texts."""
    words: list[str] | None = None
    """Those of a reply that is being said: they are put together when they are asked for."""
    is_open: bool = False
    """Whether more of it may come: words of a reply, the transcript of speech."""
    committed: bool = False
    """Whether it is a turn of speech that the user has ended."""
    named: bool = True
    """Whether its id is the provider's, or may be: a turn that was committed may yet be told under another."""
    saved: bool = False
    """Whether the provider keeps it for a session to come."""

    def snapshot(self) -> HistoryItem:
        if self.words is not None:
            assert isinstance(self.item, AgentSpeech)
            self.words = ["".join(self.words)]
            return attrs.evolve(self.item, transcript=self.words[0])
        return self.item


class Conversation:
    """The history of one agent, fed with what it publishes and with what it was told."""

    def __init__(self, memory: Memory, history: Iterable[HistoryItem] = ()) -> None:
        self.memory = memory
        self._longest = memory.max_characters // 4
        self._entries: list[_Entry] = []
        self._by_id: dict[str, _Entry] = {}
        self._characters = 0
        self._gone: dict[str, None] = {}
        self._whole = True  # whether all that was said is there
        self._live = False  # whether the provider keeps all of it
        self._pace = Pace()
        for item in history:
            self._add(item)

    @property
    def items(self) -> tuple[HistoryItem, ...]:
        """The items, in the order in which they were said."""
        return tuple(entry.snapshot() for entry in self._entries)

    @property
    def characters(self) -> int:
        """How long the texts of all items are."""
        return self._characters

    # -- what the agent was told

    def added(self, command: AppendText | AppendImage | AppendToolResult) -> None:
        """The user has written or shown something, or a call has a result."""
        match command:
            case AppendText(item_id, text, ""):
                self._add(UserText(item_id, text))
            case AppendText(item_id, text, call_id):
                call = next((each for each in self.items if call_id_of(each) == call_id), None)
                if isinstance(call, ToolCallItem):
                    self._add(ToolResultItem(item_id, call_id, call.name, text))
                else:
                    self._add(Note(item_id, text))
            case AppendImage(item_id, image, media_type):
                self._add(UserImage(item_id, media_type, len(image), Blob(data=image)))
            case AppendToolResult(item_id, call_id, name, output):
                self._add(ToolResultItem(item_id, call_id, name, output))

    def committed(self, request_id: str) -> None:
        """The user has ended a turn of speech by hand. Its id comes later, if the provider tells it."""
        for entry in reversed(self._entries):
            if isinstance(entry.item, AgentSpeech):
                break
            if isinstance(entry.item, UserSpeech) and entry.is_open and not entry.committed:
                entry.committed = True
                return
        self._add(UserSpeech(request_id), is_open=True, committed=True, named=False)

    def refused(self, item_id: str) -> None:
        """The provider did not take this."""
        entry = self._by_id.get(item_id)
        if entry is not None and isinstance(entry.item, UserText | UserImage | UserSpeech):
            self._remove(entry)

    # -- what the agent publishes

    def said(self, response_id: str, item_id: str, delta: str) -> None:
        """Words of a reply."""
        entry = self._by_id.get(item_id)
        if entry is None:
            if item_id in self._gone:
                return
            entry = self._add(AgentSpeech(item_id, "", response_id=response_id), is_open=True)
            if entry is None:
                return
            entry.words = []
        if entry.words is None or not entry.is_open:
            return
        if entry.size + len(delta) > self._longest:
            delta = delta[: self._longest - entry.size]
            self._whole = False
        entry.words.append(delta)
        entry.saved = False
        self._grow(entry, len(delta))

    def saw(self, event: ServerEvent) -> None:
        """Something else that is published."""
        match event:
            case AgentInputStarted(item_id=item_id):
                self._speech_began(item_id)
            case AgentInputTranscriptionDone(transcript, item_id):
                self._speech_known(item_id, transcript)
            case AgentResponseAudioTranscriptDone(response_id, item_id, _, _, str() as transcript):
                self._reply_known(response_id, item_id, transcript)
            case AgentResponseToolUseDone(_, item_id, use):
                self._add(ToolCallItem(item_id, use.id, use.name, use.raw_input or "{}"))
            case AgentResponseToolResult(ToolResult(id=call_id, output=str() as output)):
                self._result_known(call_id, output)
            case AgentResponseDone(response_id=response_id, metadata=metadata):
                self._reply_ended(response_id, metadata.get("status") == "completed")
            case _:
                pass

    def spoken(self, item_id: str, ms: float) -> None:
        """All speech of this item was received: this long it takes to say its words, which came with it or before."""
        entry = self._by_id.get(item_id)
        if entry is not None and entry.words is not None and ms > 0:
            self._pace.said(entry.size, ms)

    def cut(self, item_id: str, heard_ms: float, received_ms: float, *, is_whole: bool = True) -> None:
        """Of this item's speech only so much was heard, of what was received. Nothing heard: the item goes.

        Of speech that is not whole the words may be ahead: how far they go is known by the pace of what was said
        before.
        """
        entry = self._by_id.get(item_id)
        if entry is None or entry.words is None:
            self._whole = self._whole and heard_ms <= 0  # the words of this have not come
            return
        words = "".join(entry.words)
        if not is_whole:
            received_ms = max(received_ms, self._pace.ms(len(words)))
        heard = words if heard_ms >= received_ms else words_up_to(words, round(len(words) * heard_ms / received_ms))
        if heard_ms <= 0 or not heard:
            self._remove(entry)
            return
        assert isinstance(entry.item, AgentSpeech)
        if len(heard) < len(words) or entry.is_open:
            entry.item = attrs.evolve(entry.item, interrupted=True)
        entry.words, entry.is_open = [heard], False
        self._grow(entry, len(heard) - entry.size)

    # -- sessions

    def saved(self, live: bool, without: Collection[str] = ()) -> None:
        """The provider keeps what was said so far for a session to come, `without` the items of these ids.

        Speech that has had no reply, and whose words are not known, is not part of it: it may go on. `live`: it keeps
        what is said after it as well.
        """
        self._live = live
        is_answered = False
        for entry in reversed(self._entries):
            is_answered = is_answered or not isinstance(entry.item, UserSpeech | UserText | UserImage)
            goes_on = entry.is_open and isinstance(entry.item, UserSpeech) and not is_answered
            entry.saved = entry.saved or not (goes_on or entry.item.id in without)

    def seed(self, without: Collection[str] = ()) -> Seed:
        """What a new session is to be given, `without` the items of these ids, which it is told in another way."""
        entries = [entry for entry in self._entries if entry.item.id not in without]
        items = tuple(entry.snapshot() for entry in entries)
        since = () if self._live else tuple(item for entry, item in zip(entries, items, strict=True) if not entry.saved)
        return Seed(items, since, self._whole and all(map(is_whole, items)))

    # -- summaries

    def oldest(self) -> tuple[HistoryItem, ...]:
        """What is to be summarised now: the older half, once a bound is near. What may yet change is not among it."""
        memory = self.memory
        if 4 * len(self._entries) < 3 * memory.max_items and 4 * self._characters < 3 * memory.max_characters:
            return ()
        taken: list[_Entry] = []
        characters = 0
        answered = {entry.item.call_id for entry in self._entries if isinstance(entry.item, ToolResultItem)}
        for entry in self._entries:
            enough = 2 * len(taken) >= memory.max_items or 2 * characters >= memory.max_characters
            is_result = isinstance(entry.item, ToolResultItem)
            pending = isinstance(entry.item, ToolCallItem) and entry.item.call_id not in answered
            if entry.is_open or pending or (enough and not is_result):
                break
            taken.append(entry)
            characters += entry.size
        return tuple(entry.snapshot() for entry in taken) if len(taken) > 1 else ()

    def summarised(self, items: Sequence[HistoryItem], note: Note) -> None:
        """These items, as far as they are still there, are what the note says."""
        known = [entry for item in items if (entry := self._by_id.get(item.id)) is not None]
        index = self._entries.index(known[0]) if known else 0
        for entry in known:
            if self._by_id.get(entry.item.id) is entry:  # not gone with its call
                self._remove(entry)
        self._whole = False
        self._add(note, index=index)

    # -- the parts

    def _speech_began(self, item_id: str) -> None:
        if item_id in self._by_id or item_id in self._gone:
            return
        unnamed = self._unnamed(item_id, since_reply=True)
        if unnamed is None:
            self._add(UserSpeech(item_id), is_open=True)

    def _speech_known(self, item_id: str, transcript: str) -> None:
        """The words of speech may come before the reply to it, with it, or after it."""
        entry = self._by_id.get(item_id) or self._unnamed(item_id)
        if entry is None:
            if item_id in self._gone or not transcript.strip():
                return
            self._add(UserSpeech(item_id, transcript), index=self._before_reply())
            return
        if not isinstance(entry.item, UserSpeech):
            return
        if not transcript.strip():
            self._remove(entry)  # it was no speech
            return
        transcript = self._bounded(transcript)
        entry.item = UserSpeech(item_id, transcript)
        entry.is_open = False
        self._grow(entry, len(transcript) - entry.size)

    def _unnamed(self, item_id: str, *, since_reply: bool = False) -> _Entry | None:
        """The oldest turn that was committed and whose id is not known; now it is."""
        found: _Entry | None = None
        for entry in reversed(self._entries):
            if since_reply and isinstance(entry.item, AgentSpeech):
                break
            if not entry.named:
                found = entry
        if found is not None:
            del self._by_id[found.item.id]
            found.item, found.named = UserSpeech(item_id), True
            self._by_id[item_id] = found
        return found

    def _before_reply(self) -> int | None:
        """Where speech belongs of which nothing was known: before the reply that is being said, else at the end."""
        index = len(self._entries)
        while index and (self._entries[index - 1].is_open and self._entries[index - 1].words is not None):
            index -= 1
        return index

    def _reply_known(self, response_id: str, item_id: str, transcript: str) -> None:
        if item_id not in self._by_id and transcript:
            self.said(response_id, item_id, transcript)
            return
        entry = self._by_id.get(item_id)
        if entry is None or entry.words is None or not entry.is_open:
            return
        transcript = self._bounded(transcript)
        entry.words = [transcript]
        self._grow(entry, len(transcript) - entry.size)

    def _result_known(self, call_id: str, output: str) -> None:
        """The result itself, where the model was told it in words."""
        for entry in reversed(self._entries):
            if isinstance(entry.item, ToolResultItem) and entry.item.call_id == call_id:
                output = self._bounded(output)
                entry.item = attrs.evolve(entry.item, output=output)
                self._grow(entry, len(output) - entry.size)
                return

    def _reply_ended(self, response_id: str, completed: bool) -> None:
        for entry in list(self._entries):
            if not isinstance(entry.item, AgentSpeech) or entry.item.response_id != response_id:
                continue
            if entry.words is not None and not entry.size:
                self._remove(entry)
                continue
            if entry.is_open and not completed:
                entry.item = attrs.evolve(entry.item, interrupted=True)
            entry.is_open = False

    def _add(
        self,
        item: HistoryItem,
        *,
        index: int | None = None,
        is_open: bool = False,
        committed: bool = False,
        named: bool = True,
    ) -> _Entry | None:
        """Put an item where it belongs. `None` if it is not kept."""
        if item.id in self._by_id:
            return None
        if isinstance(item, ToolResultItem) and not self._waits_for(item):
            return None
        item = self._shortened(item)
        entry = _Entry(item, length(item), None, is_open, committed, named)
        if isinstance(item, AgentSpeech):
            entry.words = [item.transcript]
        self._entries.insert(len(self._entries) if index is None else index, entry)
        self._by_id[item.id] = entry
        self._characters += entry.size
        self._grow(entry, 0)
        if isinstance(item, UserImage) and item.image is not None:
            self._thin_images()
        return entry if self._by_id.get(item.id) is entry else None

    def _waits_for(self, result: ToolResultItem) -> bool:
        """Whether its call is there, and this is its first result."""
        of_call = [entry.item for entry in self._entries if call_id_of(entry.item) == result.call_id]
        return bool(of_call) and not any(isinstance(item, ToolResultItem) for item in of_call)

    def _grow(self, entry: _Entry, by: int) -> None:
        """An item is there, or is longer by so many characters: the oldest make room for it."""
        entry.size += by
        self._characters += by
        while self._entries and (
            self._characters > self.memory.max_characters or len(self._entries) > self.memory.max_items
        ):
            self._remove(self._entries[0])
            self._whole = False

    def _remove(self, entry: _Entry) -> None:
        """An item goes, and with a call its result."""
        item = entry.item
        self._entries.remove(entry)
        del self._by_id[item.id]
        self._characters -= entry.size
        if isinstance(item, AgentSpeech | UserSpeech):
            self._gone[item.id] = None
            if len(self._gone) > _REMEMBERED:
                del self._gone[next(iter(self._gone))]
        if isinstance(item, ToolCallItem):
            for result in [each for each in self._entries if call_id_of(each.item) == item.call_id]:
                self._remove(result)

    def _shortened(self, item: HistoryItem) -> HistoryItem:
        short = shortened(item, self._longest)
        self._whole = self._whole and short is item
        if isinstance(short, UserImage) and short.image is not None and short.size > self.memory.max_image_bytes:
            return attrs.evolve(short, image=None)
        return short

    def _bounded(self, text: str) -> str:
        if len(text) > self._longest:
            self._whole = False
        return text[: self._longest]

    def _thin_images(self) -> None:
        """Of the pictures the newest are kept, as many as may be."""
        left = self.memory.max_image_bytes
        for entry in reversed(self._entries):
            if isinstance(entry.item, UserImage) and entry.item.image is not None:
                left -= entry.item.size
                if left < 0:
                    entry.item = attrs.evolve(entry.item, image=None)
