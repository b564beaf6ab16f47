"""What goes to Gemini, and when: the frames of a client, and what waits until a reply is asked for.

On this wire text, the results of calls and the end of a manual turn each make the model reply by themselves. An agent
says what there is to say first and asks then, so these wait for the asking.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pybase64

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CommitAudio,
    CreateResponse,
    ItemAdded,
    RequestFailed,
)

from .calls import forget_oldest
from .json_wire import Decoded, Message, dump

__all__ = ["ACTIVITY_START", "TOOL_RESPONSE", "Asking", "Say", "refused"]

# What is held and remembered at most. An agent that asks for replies stays far below.
MOST_HELD = 256

Say = AppendAudio | AppendText | AppendImage | AppendToolResult | CommitAudio | CreateResponse
"""What a client says to the model."""

ACTIVITY_START = '{"realtimeInput":{"activityStart":{}}}'
TOOL_RESPONSE = '{"toolResponse"'
"""With which results of calls begin."""
_ACTIVITY_END = '{"realtimeInput":{"activityEnd":{}}}'


@attrs.define
class _Item:
    id: str
    part: Message


@attrs.define
class _Result:
    item_id: str
    response: Message


@attrs.define
class Asking:
    """The client's side of one socket.

    `manual`: turns are marked by us. `realtime_text`: text goes as `realtimeInput`, for models that refuse
    `clientContent`. `rate` is that of the audio, in Hz. `model_name` is for messages.
    """

    model_name: str
    manual: bool
    realtime_text: bool
    rate: int
    said: dict[str, Decoded] = attrs.field(factory=dict[str, Decoded], init=False)
    """What is to be taken for granted of a command that was sent, or was not to be sent, by its id."""
    _items: list[_Item] = attrs.field(factory=list[_Item], init=False)
    _calls: dict[str, None] = attrs.field(factory=dict[str, None], init=False)  # those that wait for a result
    _results: dict[str, _Result] = attrs.field(factory=dict[str, _Result], init=False)  # by the id of the call
    _cancelled: dict[str, None] = attrs.field(factory=dict[str, None], init=False)  # calls that the server gave up
    _void: bool = attrs.field(default=False, init=False)  # whether there was a result of such a call
    _sent: list[str] = attrs.field(factory=list[str], init=False)
    _open: bool = attrs.field(default=False, init=False)  # whether the user's turn is marked as begun
    _committed: bool = attrs.field(default=False, init=False)  # whether it is to end with the next asking
    _images: int = attrs.field(default=0, init=False)
    _received: int = attrs.field(default=0, init=False)
    _audio_head: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._audio_head = f'{{"realtimeInput":{{"audio":{{"mimeType":"audio/pcm;rate={self.rate}","data":"'

    @property
    def position_ms(self) -> int:
        """How much audio was sent, in ms."""
        return self._received * 500 // self.rate

    @property
    def owes_results(self) -> bool:
        """Whether calls wait for their results."""
        return bool(self._calls or self._results)

    def encode(self, command: Say) -> list[str | bytes]:
        """The frames that can go now. What is refused is in `said`."""
        match command:
            case AppendAudio(audio):
                return self._audio(audio) if audio else []
            case AppendText(item_id, text):
                self._hold(_Item(item_id, {"text": text}))
                return []
            case AppendToolResult():
                self._take_result(command)
                return []
            case AppendImage():
                return self._image(command)
            case CommitAudio():
                return self._commit()
            case CreateResponse(request_id):
                return self._ask(request_id)

    def called(self, call_id: str) -> None:
        """The model waits for the result of this call."""
        self._calls[call_id] = None
        if len(self._calls) > MOST_HELD:
            forget_oldest(self._calls)

    def answer(self, call_id: str, name: str, response: Message) -> None:
        """The result of a call that is of no item of the agent's."""
        self._results[call_id] = _Result("", {"id": call_id, "name": name, "response": response})

    def cancel_calls(self, call_ids: Sequence[str]) -> list[str]:
        """The server has given up these calls. Returns the items that are of no use to it any more."""
        useless: list[str] = []
        for call_id in call_ids:
            self._calls.pop(call_id, None)
            result = self._results.pop(call_id, None)
            if result is None:
                self._cancelled[call_id] = None
                if len(self._cancelled) > MOST_HELD:
                    forget_oldest(self._cancelled)
            else:
                self._void = True
                if result.item_id:
                    useless.append(result.item_id)
        return useless

    def arrived(self) -> list[str]:
        """The model replies: the items that have arrived by that."""
        sent, self._sent = self._sent, []
        return sent

    def _audio(self, pcm: bytes) -> list[str | bytes]:
        frames: list[str | bytes] = []
        if self.manual and not self._open:
            self._open = True
            frames.append(ACTIVITY_START)
        if self._images:
            frames += self._show_images()
        self._received += len(pcm)
        # Base64 needs no escapes, so the frame need not be dumped.
        frames.append(self._audio_head + pybase64.b64encode_as_string(pcm) + '"}}}')
        return frames

    def _commit(self) -> list[str | bytes]:
        if self.manual:
            self._committed = self._open
            return []
        return ['{"realtimeInput":{"audioStreamEnd":true}}']

    def _image(self, command: AppendImage) -> list[str | bytes]:
        """A picture waits for what comes next, speech or text. Where both are of one stream it goes at once."""
        media: Message = {"mimeType": command.media_type, "data": pybase64.b64encode_as_string(command.image)}
        if not self.realtime_text:
            self._images += self._hold(_Item(command.item_id, {"inlineData": media}))
            return []
        self.said[command.item_id] = [ItemAdded(command.item_id)]  # nothing shows that it has arrived
        return [dump({"realtimeInput": {"video": media}})]

    def _take_result(self, command: AppendToolResult) -> None:
        call_id = command.call_id
        if call_id in self._calls:
            del self._calls[call_id]
            response: Message = {"id": call_id, "name": command.name, "response": {"output": command.output}}
            self._results[call_id] = _Result(command.item_id, response)
        elif call_id in self._cancelled:
            del self._cancelled[call_id]
            self._void = True
            self.said[command.item_id] = [ItemAdded(command.item_id)]  # the server has no use for it
        else:  # the server would end the session
            problem = f"no call with the id {call_id!r:.80} waits for a result in this session"
            self.said[command.item_id] = [refused(command.item_id, "unknown_call", problem)]

    def _ask(self, request_id: str) -> list[str | bytes]:
        """Send what waits, in a way that the model replies to."""
        frames: list[str | bytes] = []
        if self._results:
            responses = [result.response for result in self._results.values()]
            frames.append(dump({"toolResponse": {"functionResponses": responses}}))
            self._sent += [result.item_id for result in self._results.values() if result.item_id]
            self._results.clear()
        parts = self._take_parts()
        if parts and self.realtime_text:
            frames += self._realtime_text("\n".join(part["text"] for part in parts))
        elif parts:
            content = [{"role": "user", "parts": parts}]
            frames.append(dump({"clientContent": {"turns": content, "turnComplete": not self._committed}}))
        if self._committed:
            self._open = self._committed = False
            frames.append(_ACTIVITY_END)
        if not frames and self._void:
            # What there was to say is of no use any more: the model replies to what made it so.
            self.said[request_id] = [refused(request_id, "", "nothing is left to reply to", is_race=True)]
        elif not frames and self.realtime_text:
            problem = f"{self.model_name} replies to text, speech and tools' results only: say something to it"
            self.said[request_id] = [refused(request_id, "unsupported", problem)]
        elif not frames:
            frames.append('{"clientContent":{"turnComplete":true}}')
        self._void = False
        return frames

    def _hold(self, item: _Item) -> bool:
        if len(self._items) < MOST_HELD:
            self._items.append(item)
            return True
        problem = "too much waits for a reply to be asked for: ask for one"
        self.said[item.id] = [refused(item.id, "overloaded", problem)]
        return False

    def _take_parts(self) -> list[Message]:
        items, self._items, self._images = self._items, [], 0
        self._sent += [item.id for item in items]
        return [item.part for item in items]

    def _realtime_text(self, text: str) -> list[str | bytes]:
        """Text counts as activity, which in manual turns must be marked as such."""
        frames: list[str | bytes] = [dump({"realtimeInput": {"text": text}})]
        if self.manual:
            if not self._open:
                frames.insert(0, ACTIVITY_START)
            self._open = self._committed = True
        return frames

    def _show_images(self) -> list[str | bytes]:
        shown = [item for item in self._items if "inlineData" in item.part]
        self._items = [item for item in self._items if "inlineData" not in item.part]
        self._images = 0
        self._sent += [item.id for item in shown]
        return [dump({"realtimeInput": {"video": item.part["inlineData"]}}) for item in shown]


def refused(request_id: str, code: str, problem: str, *, is_race: bool = False) -> RequestFailed:
    """What is said of a command that was not sent; `is_race` if that is nobody's error."""
    conflict = "nothing_active" if is_race else None
    return RequestFailed(request_id, "invalid_request_error", code, problem, conflict)
