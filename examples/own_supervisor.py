"""A supervisor of your own: three actors that depend on each other in a line, restarted with what comes after them.

    python examples/own_supervisor.py

A microphone feeds a recogniser, which feeds a logbook. When the recogniser crashes, what it gave the logbook is half a
sentence: both begin anew, the microphone goes on (`rest_for_one`). When that does not help, the supervisor says so.
"""

import attrs
import trio

from realtime_actors import Actor, Backoff, Child, Ref, RestartBudgetExceeded, open_runtime, receives


@attrs.frozen
class Sound:
    word: str


@attrs.frozen
class Word:
    text: str


@attrs.frozen
class Read:
    """Asks a logbook for what is in it."""


@attrs.define(eq=False)
class Logbook(Actor):
    words: list[str] = attrs.field(init=False, factory=list[str])

    @receives
    def write(self, message: Word) -> None:
        self.words.append(message.text)

    @receives
    def read(self, message: Read) -> list[str]:
        return self.words


@attrs.define(eq=False)
class Recogniser(Actor):
    @receives
    def recognise(self, message: Sound) -> None:
        if message.word == "?":
            raise ValueError("what was that?")
        self.context.tell(sibling(self, "logbook"), Word(message.word))


@attrs.define(eq=False)
class Microphone(Actor):
    pieces: int = attrs.field(init=False, default=0)

    @receives
    def capture(self, message: Sound) -> None:
        self.pieces += 1
        self.context.tell(sibling(self, "recogniser"), message)

    @receives
    def count(self, message: Read) -> int:
        return self.pieces


def sibling(actor: Actor, name: str) -> Ref:
    """The ref of an actor of the same supervisor: it stays the same through restarts."""
    ref = actor.context.find(f"{actor.context.path.rpartition('.')[0]}.{name}")
    assert ref is not None, f"there is no {name}"
    return ref


@attrs.define(eq=False)
class Dictation(Actor):
    """Starts the three in order, all or none, and supervises them."""

    max_restarts: int = 2

    async def started(self) -> None:
        await self.context.spawn_group(
            [
                Child(Microphone(), name="microphone"),
                Child(Recogniser(), name="recogniser"),
                Child(Logbook(), name="logbook"),
            ],
            strategy="rest_for_one",
            max_restarts=self.max_restarts,
            within=60,
            backoff=Backoff(min=0.1, max=2),
        )

    @receives
    def dictate(self, message: Sound) -> None:
        microphone = self.context.find(f"{self.context.path}.microphone")
        if microphone is not None:
            self.context.tell(microphone, message)


async def main() -> None:
    async with open_runtime() as runtime:
        dictation = await runtime.spawn(Dictation(), name="dictation")
        for word in ("one", "two", "?", "three", "?", "four", "?"):
            dictation.tell(Sound(word))
            await trio.sleep(0.3)
            print(f"after {word!r}:\n{runtime.tree()}\n")
        ended = await dictation.wait_stopped()
        assert isinstance(ended.cause, RestartBudgetExceeded)
        print(f"It gave up: {ended.cause}")


if __name__ == "__main__":
    trio.run(main)
