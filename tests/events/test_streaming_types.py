"""What a trace is told to skip."""

import attrs

from realtime_actors import events
from realtime_actors.events import STREAMING_TYPES, AppendAudio, ClientAudioAppend


def test_each_delta_and_the_audio_that_goes_in_streams() -> None:
    deltas = {
        value
        for name in events.__all__
        if name.endswith("Delta") and isinstance(value := getattr(events, name), type) and attrs.has(value)
    }
    assert set(STREAMING_TYPES) == deltas | {ClientAudioAppend, AppendAudio}
    assert len(STREAMING_TYPES) == 11
