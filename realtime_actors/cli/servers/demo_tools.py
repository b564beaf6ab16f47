"""The tools of the demo's agent."""

import random
from datetime import datetime

import trio

from realtime_actors.agents import Progress, Tool, tool
from realtime_actors.simulators.speech import CITIES

__all__ = ["DEMO_TOOLS", "get_date", "get_time", "get_weather", "order_taxi"]

_SKIES = ("sunny", "cloudy", "rainy", "windy", "foggy", "clear")


@tool
async def get_weather(city: str) -> str:
    """The weather in a city. It is invented: the demo asks nobody.

    Args:
        city: the city's name, in English.
    """
    known = {name.lower(): name for name in CITIES}
    name = known.get(city.strip().lower())
    if name is None:
        return f"The demo has invented weather for {', '.join(CITIES)} only, not for {city.strip()[:60]}."
    invented = random.Random(name)  # noqa: S311 - the same for a city every time, and no secret
    sky, degrees = invented.choice(_SKIES), invented.randint(4, 29)
    return f"According to the demo's invented weather, it is {sky} in {name}, at {degrees} degrees."


@tool
async def get_time() -> str:
    """The time of day on this machine."""
    now = datetime.now().astimezone()
    part = "in the morning" if now.hour < 12 else "in the afternoon" if now.hour < 18 else "in the evening"
    return f"It is {now.hour % 12 or 12}:{now.minute:02} {part}."


@tool
async def get_date() -> str:
    """Today's date on this machine."""
    now = datetime.now().astimezone()
    return f"Today is {now:%A}, {now:%B} {now.day}, {now.year}."


@tool(needs_approval=True, on_interruption="finish", duplicates="refuse")
async def order_taxi(progress: Progress, to: str = "wherever you like") -> str:
    """Order a taxi, once the user has allowed it. It is invented: none comes.

    Args:
        to: where it is to go.
    """
    for done, step in enumerate(("Looking for a taxi", "Asking the driver", "Waiting for an answer")):
        progress(step, done / 3)
        await trio.sleep(0.8)
    return f"The demo's invented taxi to {to.strip()[:60]} comes in five minutes."


DEMO_TOOLS: tuple[Tool, ...] = (get_weather, get_time, get_date, order_taxi)
"""All of them."""
