"""What `talk` says at the end: how long the answers took, and what there is of the reply. Pure."""

from collections.abc import Iterator
from pathlib import Path

from realtime_actors.audio import duration_ms
from realtime_actors.cli.talking.microphone import SILENCE_DBFS
from realtime_actors.cli.talking.playout import Playout
from realtime_actors.cli.talking.progress import Progress

__all__ = ["report"]


def report(progress: Progress, playout: Playout, saved: Path | None) -> Iterator[tuple[str, str]]:
    """Lines, each with its label."""
    for number, exchange in enumerate(progress.exchanges, 1):
        label = "latency" if len(progress.exchanges) == 1 else f"latency {number}"
        cut_at = exchange.cut_at if exchange.interrupted else None
        for moment, what in ((cut_at, "cancelled"), (exchange.silenced_at, "silenced")):
            if moment is not None:
                yield label, f"first sound of the interruption -> reply {what} {_ms(exchange.after_beginning(moment))}"
                label = ""
        if exchange.cut is not None and not exchange.interrupted:
            yield label, "reply cancelled"
            label = ""
        what = "end of speech" if exchange.kind == "speech" else "text sent"
        yield label, f"{what} -> first audio of the answer {_ms(exchange.after_end(exchange.first_audio))}"
        cut = number < len(progress.exchanges) and exchange.done is None
        complete = "never: it was interrupted" if cut else _ms(exchange.after_end(exchange.done))
        yield "", f"{what} -> answer complete {complete}"
    if any(exchange.kind == "speech" for exchange in progress.exchanges):
        yield (
            "",
            f"(the end of speech is when the last 20 ms louder than {SILENCE_DBFS:g} dBFS were sent: "
            "the silence that ends the turn is part of it)",
        )
    yield "reply", _reply(playout, saved)


def _reply(playout: Playout, saved: Path | None) -> str:
    recording = playout.recording()
    if not recording:
        return "no audio"
    text = f"{duration_ms(len(recording), playout.rate) / 1000:.2f} s heard"
    if playout.discarded_ms:
        text += f", {playout.discarded_ms / 1000:.2f} s that had come were not"
    if playout.overlong_ms:
        text += f", {playout.overlong_ms / 1000:.2f} s more than is kept"
    return f"{text}; saved to {saved}" if saved is not None else text


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"
