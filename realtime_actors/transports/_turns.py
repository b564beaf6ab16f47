"""Who may keep the event loop busy."""

import attrs
import trio

__all__ = ["Turns"]


@attrs.define(eq=False)
class Turns:
    """Turns for work that takes long: a piece of it in each pass of the event loop, whoever's it is.

    A hundred peers that send much in the same millisecond would else be a hundred pieces of work in one pass, for
    which all who have little to do wait, too.
    """

    _line: trio.StrictFIFOLock = attrs.field(init=False, factory=trio.StrictFIFOLock)

    async def wait(self, passes: int = 1) -> None:
        """Wait for a turn, in order of arrival; the next one's comes after so many passes at the earliest.

        More than one is for work that goes on in other tasks.
        """
        async with self._line:
            for _ in range(1, passes):
                await trio.lowlevel.checkpoint()
