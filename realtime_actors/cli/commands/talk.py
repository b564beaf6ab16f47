"""`realtime-actors talk`."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import click

from realtime_actors.cli import options

__all__ = ["talk"]


def _id(whose: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    def check(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is not None and not options.is_id(value):
            raise click.BadParameter(f"{value!r:.80} is no name of a {whose}: {options.ID_RULE}.")
        return value

    return check


@click.command(
    epilog="""\b
Examples:
  realtime-actors talk tests/data/weather.wav
  realtime-actors talk hello.wav --save reply.wav --events events.jsonl
  realtime-actors talk --text "what time is it"
  realtime-actors talk --text "what is this" --image photo.jpg
  realtime-actors talk --text "order a taxi" --approve all
  realtime-actors talk count.wav --interrupt-with weather.wav
  realtime-actors talk hello.wav --url wss://voice.example.org/ws/me/first
  realtime-actors talk --room lobby --as Ann                          # stay, and say what is typed
  realtime-actors talk --room lobby --as Ben hello.wav --save room.wav
"""
)
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE.wav]")
@click.option("--text", metavar="TEXT", help="Write this instead of speaking.")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="PICTURE",
    help="Show this PNG or JPEG file first, to a model that takes images.",
)
@click.option(
    "--interrupt-with",
    "interruption",
    type=click.Path(path_type=Path),
    metavar="SECOND.wav",
    help="Say this over the reply, once a second of it was heard.",
)
@click.option(
    "--url",
    metavar="URL",
    default="ws://127.0.0.1:8000",
    show_default=True,
    help="The gateway, or one conversation of it: ws://HOST:PORT/ws/USER/SESSION. Without a path: a new one; "
    "HOST:PORT will do.",
)
@click.option(
    "--room",
    metavar="NAME",
    callback=_id("room"),
    help="Be in this room, with everybody in it, instead of talking to one agent. With a WAV file or --text: until it "
    "is answered; with neither: until Ctrl-C, and what is typed is said.",
)
@click.option("--as", "name", metavar="NAME", callback=_id("person"), help="Who you are in the room.")
@click.option("--hear-people", is_flag=True, help="In a room, hear the other people too, and not only the agents.")
@options.token("The gateway's token, if it wants one.")
@click.option("--save", type=click.Path(path_type=Path), metavar="REPLY.wav", help="Save what was heard of the reply.")
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="EVENTS.jsonl",
    help="Write every event sent and received, with its time, one JSON object a line.",
)
@click.option(
    "--approve",
    type=click.Choice(["ask", "all", "none"]),
    help="Which tools may run of those that need approval: asked here (the default on a terminal), all, or none "
    "(the default elsewhere).",
)
@click.option("--provider", metavar="NAME", help="Whose model, where the gateway has several (`serve --provider`).")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=options.number,
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="Seconds for the agent to get ready, and for the answer once all is said.",
)
@options.verbose
@click.pass_context
def talk(
    context: click.Context,
    *,
    file: Path | None,
    text: str | None,
    image: Path | None,
    interruption: Path | None,
    url: str,
    room: str | None,
    name: str | None,
    hear_people: bool,
    token: str | None,
    save: Path | None,
    events: Path | None,
    approve: Literal["ask", "all", "none"] | None,
    provider: str | None,
    timeout: float,
    verbose: int,
) -> None:
    """Talk to an agent, or in a room: say a WAV file, or --text, and print the conversation.

    The WAV (any rate, mono or stereo) is sent at the pace of speech in pieces of 20 ms, and silence after it, as a
    microphone would. Printed are who said what, the tool calls, and the latencies: from the end of speech (when the
    last 20 ms that are not silence were sent) to the first audio of the answer, and to its end. A reply that is
    interrupted is saved as far as it was heard, played at the pace of speech.
    """
    if text is not None and not text.strip():
        raise click.BadParameter("The text is empty.", param_hint="--text")
    if (file is not None and text is not None) or (file is text is None and room is None):
        raise click.UsageError("Give a WAV file to say, or --text, and not both.")
    from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy

    if room is not None:
        options.refuse_given(context, ["interruption", "provider"], "--room", "that is for talking to one agent")
        if name is None:
            raise click.UsageError("Say who you are in the room, for example --as Ann.")
        from realtime_actors.cli.talking.room import Visit, visit  # noqa: PLC0415 - heavy

        plan = Visit(
            url=url,
            room=room,
            name=name,
            token=token,
            speech=file,
            text=text,
            image=image,
            hear_people=hear_people,
            save=save,
            events=events,
            approve=approve or ("ask" if sys.stdin.isatty() else None),
            timeout=timeout,
        )
        run(partial(visit, plan), verbose=verbose, terminated=143)
        return
    options.refuse_given(context, ["name", "hear_people"], "one agent", "it is for --room")
    from realtime_actors.cli.talking.conversation import Plan, hold  # noqa: PLC0415 - heavy
    from realtime_actors.cli.talking.frontend import address_of  # noqa: PLC0415 - heavy

    plan = Plan(
        url=address_of(url),
        token=token,
        speech=file,
        text=text,
        image=image,
        interruption=interruption,
        save=save,
        events=events,
        provider=provider,
        approve=approve or ("ask" if sys.stdin.isatty() else "none"),
        timeout=timeout,
    )
    run(partial(hold, plan), verbose=verbose, terminated=143)
