"""Two agents and a person in one room, hosted by asyncio. What each of them says is printed when it has been heard.

    python examples/room_asyncio.py "What do you take for breakfast, tea or coffee?"

The key is read from OPENAI_API_KEY. `--url` names another server, such as that of `realtime-actors simulate openai`.
"""

import argparse
import asyncio
import os

import attrs

from realtime_actors import ClientTextAppend, OpenAIRealtimeModel, RealtimeAgent
from realtime_actors.asyncio import open_runtime
from realtime_actors.events import RoomLine
from realtime_actors.rooms import ChatRoom, FloorLimits, FromPerson, RoundRobin, join_room

TURNS = 3  # of the agents among themselves, after the one that answers the person


async def converse(model: OpenAIRealtimeModel, question: str) -> list[str]:
    """Ask the room something. Returns what was said, line by line."""
    said: list[str] = []
    room = ChatRoom(
        agents=[
            RealtimeAgent("Ada", "You take tea, and say why. Be brief.", attrs.evolve(model, voice="marin")),
            RealtimeAgent("Bert", "You take coffee, and say why. Be brief.", attrs.evolve(model, voice="cedar")),
        ],
        policy=RoundRobin(),
        limits=FloorLimits(agent_turns=TURNS),
    )
    # Subscribed to before the room is there: nothing that it says is missed. "rooms.salon.>" is all of it, speech too.
    async with open_runtime() as runtime, runtime.subscribe(f"rooms.salon.{RoomLine.type}") as lines:
        salon = await runtime.spawn(room, name="salon")
        await join_room(salon, "ann", name="Ann")
        salon.tell(FromPerson("ann", ClientTextAppend("", question)))
        async for line in lines:
            said.append(f"{line.speaker_name}: {line.text}")
            print(said[-1])
            if len(said) == 2 + TURNS:
                break
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question")
    parser.add_argument("--url")
    options = parser.parse_args()
    key = os.getenv("OPENAI_API_KEY") or ("any" if options.url else "")
    if not key:
        parser.error("OPENAI_API_KEY is not set; a simulator, named by --url, needs none")
    asyncio.run(converse(OpenAIRealtimeModel(api_key=key, url=options.url), options.question))
