"""What somebody in a room hears: all agents, and if asked other people, in one stream. Pure."""

import attrs

from realtime_actors.audio import byte_length, duration_ms
from realtime_actors.rooms import FRAME_BYTES, FRAME_MS, ROOM_RATE, JitterBuffer, Mixer, PlayoutBuffer

__all__ = ["RoomSound"]

_LONGEST_S = 15 * 60
_AHEAD_MS = 5 * 60 * 1000
"""How much of an agent may have come and not been heard."""
_ME = "me"
_PEOPLE = "people"


@attrs.define(eq=False)
class RoomSound:
    """A simulated loudspeaker for several voices: each agent is played at the pace of speech from when it comes.

    Call `tick` once for each `FRAME_MS` of time. The recording begins with the first sound.
    """

    lost_ms: float = attrs.field(init=False, default=0.0)
    """How much of agents found no room, or was more than the 15 minutes that are kept."""
    _mixer: Mixer = attrs.field(init=False, factory=Mixer)
    _agents: dict[str, PlayoutBuffer] = attrs.field(init=False, factory=dict[str, PlayoutBuffer])
    _people: JitterBuffer = attrs.field(init=False, factory=lambda: JitterBuffer(start_ms=80, depth_ms=300))
    _audio: bytearray = attrs.field(init=False, factory=bytearray)
    _heard: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._mixer.add_listener(_ME, ROOM_RATE)
        self._mixer.add_source(_PEOPLE, self._people)

    def agent_says(self, agent_id: str, pcm: bytes, rate: int) -> None:
        """A piece of an agent's speech. Raises `AudioError` and `RoomsError` for what cannot be played."""
        name = f"agent {agent_id}"
        if name not in self._agents:
            self._agents[name] = PlayoutBuffer(depth_ms=_AHEAD_MS)
            self._mixer.add_source(name, self._agents[name])
        if not self._agents[name].push(pcm, rate):
            self.lost_ms += duration_ms(len(pcm), rate)

    def agent_ends(self, agent_id: str) -> None:
        """An agent's reply is complete, or there is no more of it: it is played to its end."""
        buffer = self._agents.get(f"agent {agent_id}")
        if buffer is not None:
            buffer.finish()

    def silence(self, agent_id: str) -> None:
        """An agent is interrupted: it is heard no more."""
        buffer = self._agents.get(f"agent {agent_id}")
        if buffer is not None:
            buffer.flush()

    def people_say(self, pcm: bytes, rate: int) -> None:
        """A piece of what the other people say. Raises `AudioError` and `RoomsError` for what cannot be played."""
        self._people.push(pcm, rate)

    @property
    def is_playing(self) -> bool:
        """Whether something of an agent waits to be heard."""
        return any(not buffer.is_over for buffer in self._agents.values())

    def tick(self) -> None:
        """The next `FRAME_MS` are heard."""
        frame = self._mixer.tick()[_ME]
        if frame.is_silent and not self._heard:
            return
        if len(self._audio) + FRAME_BYTES > byte_length(_LONGEST_S * 1000, ROOM_RATE):
            self.lost_ms += 0 if frame.is_silent else FRAME_MS
            return
        self._audio += frame.pcm
        if not frame.is_silent:
            self._heard = len(self._audio)

    def recording(self) -> bytes:
        """All that was heard, from the first sound to the last: PCM16 mono at `ROOM_RATE`."""
        return bytes(self._audio[: self._heard])
