"""What a tick of a room's mixer costs, in CPU time: `python -m benchmarks.room_mixer`.

Eight agents and eight people, each a source and a listener; as many as are said to speak push 20 ms before each tick.
"""

import statistics
import time

import attrs
import numpy as np

from realtime_actors.rooms import FRAME_MS, ROOM_RATE, JitterBuffer, Mixer, PlayoutBuffer

TICKS = 1500
AGENTS = PEOPLE = 8


@attrs.frozen
class Case:
    """A room."""

    agent_rate: int
    person_rate: int
    speakers: int


def measure(case: Case) -> tuple[float, float]:
    """The medians, in µs, of all pushes before a tick, and of the tick."""
    mixer = Mixer()
    sources: list[tuple[JitterBuffer | PlayoutBuffer, bytes, int]] = []
    for number in range(AGENTS + PEOPLE):
        is_agent = number < AGENTS
        rate = case.agent_rate if is_agent else case.person_rate
        buffer = PlayoutBuffer() if is_agent else JitterBuffer()
        noise = np.random.default_rng(number).integers(-6000, 6000, rate * FRAME_MS // 1000)
        sources.append((buffer, noise.astype("<i2").tobytes(), rate))
        mixer.add_source(f"{number}", buffer)
        mixer.add_listener(f"{number}", rate)
    pushes: list[int] = []
    ticks: list[int] = []
    for _ in range(TICKS):
        began = time.thread_time_ns()
        for buffer, chunk, rate in sources[: case.speakers]:
            buffer.push(chunk, rate)
        pushed = time.thread_time_ns()
        mixer.tick()
        ticks.append(time.thread_time_ns() - pushed)
        pushes.append(pushed - began)
    return statistics.median(pushes) / 1000, statistics.median(ticks) / 1000


def main() -> None:
    """Print a table."""
    print("agents Hz  people Hz  speakers  push µs  tick µs")  # noqa: T201
    for rates in ((ROOM_RATE, ROOM_RATE), (16000, 48000)):
        for speakers in (AGENTS + PEOPLE, 1, 0):
            push, tick = measure(Case(*rates, speakers))
            print(f"{rates[0]:9}  {rates[1]:9}  {speakers:8}  {push:7.1f}  {tick:7.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
