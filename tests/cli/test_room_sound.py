"""What somebody in a room hears: all voices in one stream."""

import numpy as np

from realtime_actors.cli.talking.room_sound import RoomSound


def tone(value: int, ms: int, rate: int = 24000) -> bytes:
    return np.full(rate * ms // 1000, value, "<i2").tobytes()


def heard(sound: RoomSound) -> list[int]:
    """The first sample of each 20 ms."""
    return np.frombuffer(sound.recording(), "<i2")[::480].tolist()


def test_voices_are_mixed_at_the_pace_of_speech() -> None:
    """They come all at once, and are heard one frame a tick; before the first and after the last one is nothing."""
    sound = RoomSound()
    sound.tick()
    sound.agent_says("alice", tone(1000, 100), 24000)
    sound.agent_ends("alice")
    for _ in range(2):
        sound.tick()
    sound.agent_says("bob", tone(200, 100), 24000)
    sound.agent_ends("bob")
    for _ in range(10):
        assert sound.is_playing == (len(heard(sound)) < 7)
        sound.tick()
    assert heard(sound) == [1000, 1000, 1200, 1200, 1200, 200, 200]


def test_who_is_interrupted_is_heard_no_more_and_the_others_are() -> None:
    sound = RoomSound()
    for agent, value in (("alice", 1000), ("bob", 200)):
        sound.agent_says(agent, tone(value, 100), 24000)
    sound.tick()
    sound.silence("alice")
    sound.agent_ends("bob")
    for _ in range(6):
        sound.tick()
    assert heard(sound) == [1200, 200, 200, 200, 200]
    sound.agent_says("alice", tone(500, 20), 24000)
    sound.agent_ends("alice")
    sound.tick()
    assert heard(sound)[-1] == 500


def test_other_people_are_heard_beside_agents() -> None:
    sound = RoomSound()
    sound.people_say(tone(70, 100), 24000)
    sound.agent_says("alice", tone(1000, 40), 24000)
    for _ in range(6):
        sound.tick()
    assert heard(sound)[:3] == [1070, 1070, 70]


def test_what_nobody_could_hear_in_time_is_counted() -> None:
    sound = RoomSound()
    for _ in range(31):
        sound.agent_says("alice", tone(1, 10_000), 24000)
    assert sound.lost_ms == 10_000
