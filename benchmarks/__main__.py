"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import click

from . import bounds, catalogue, chart, machine, report
from .alone import ROUND, alone
from .benchmark import Benchmark
from .peers import catalogue as peers
from .peers import goals
from .peers.environments import default_directory
from .runner import Result, play

_turn = partial(alone, ROUND)
_EXAMPLES = """
\b
Examples:
  python -m benchmarks                              everything
  python -m benchmarks hop ask                      these two
  python -m benchmarks kernel --json kernel.json    a group, and its numbers in a file
  python -m benchmarks --quick --check              what CI runs, in under two minutes
  python -m benchmarks --peers --json peers.json    the same work on others, which it installs, and our goals
  python -m benchmarks bounds results.json          store what was reached as the bounds for --check
  python -m benchmarks chart results.json docs/benchmarks/     draw what was measured
"""


class _RunByDefault(click.Group):
    """A group in which what is no command is an argument of `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        elif args[0] == "--help":
            args = ["run", "--help"]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault, context_settings={"max_content_width": 110})
def main() -> None:
    """Measure what the package costs."""


@main.command(epilog=_EXAMPLES, context_settings={"max_content_width": 100})
@click.argument("names", nargs=-1)
@click.option("--list", "list_them", is_flag=True, help="Say which benchmarks there are, and end.")
@click.option("--quick", is_flag=True, help="Fewer of them, shorter, in three rounds: under two minutes.")
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds of each.  [default: 5, with --quick 3]")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers here.")
@click.option("--peers", "with_peers", is_flag=True, help="Compare with other projects; the first run installs them.")
@click.option(
    "--environments",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_directory,
    show_default="in the user's cache folder",
    help="Where the peers' virtual environments are kept.",
)
@click.option("--check", is_flag=True, help="Exit with 1 when a ratio is worse than its stored bound by half, twice.")
def run(  # noqa: PLR0917 - click gives them by name
    names: tuple[str, ...],
    list_them: bool,
    quick: bool,
    rounds: int | None,
    json_file: Path | None,
    with_peers: bool,
    environments: Path,
    check: bool,
) -> None:
    """Run the benchmarks of these NAMES (or groups), or all.

    Each number is the median of the rounds with the least and the most, and a ratio to the baseline's in the same
    round. The table goes to stdout, what is under way to stderr.
    """
    if check and with_peers:
        raise click.UsageError("--check is of what this project costs alone: it does not go with --peers")
    progress = _Progress()
    among = peers.benchmarks(environments, progress.tell) if with_peers else None
    try:
        chosen = catalogue.select(names, quick=quick, among=among)
    except catalogue.UnknownBenchmark as error:
        raise click.UsageError(str(error)) from None
    if list_them:
        for each in chosen:
            click.echo(f"{each.group:10} {each.label:32} {each.about}")
        return
    rounds = rounds or (3 if quick else 5)
    where, start = machine.look(), time.monotonic()
    results: list[Result] = []
    interrupted = False
    try:
        results.extend(play(chosen, rounds, quick=quick, tell=progress.tell, turn=_turn))
    except KeyboardInterrupt:
        interrupted = True  # what is there is still worth reading
    progress.end()
    done = report.Report(
        machine=where,
        rounds=rounds,
        quick=quick,
        seconds=time.monotonic() - start,
        load_after=os.getloadavg(),
        results=results,
    )
    click.echo(report.table(done))
    if with_peers:
        click.echo(goals.of(done))
    if json_file is not None:
        json_file.write_bytes(report.dump(done))
    if interrupted:
        click.echo("interrupted: benchmarks are missing", err=True)
        sys.exit(130)
    if check:
        _check(results, chosen, rounds, quick=quick)


def _check(results: list[Result], benchmarks: list[Benchmark], rounds: int, *, quick: bool) -> None:
    """Exit with 1 when something is too bad twice: a machine that was busy once is no reason."""
    known = bounds.load(bounds.BOUNDS)
    suspects = {result.label for result in results if bounds.check([result], known).broken}
    again = [each for each in benchmarks if each.label in suspects]
    for label in suspects:
        click.echo(f"too bad, measured again: {label}", err=True)
    second = {result.label: result for result in play(again, rounds, quick=quick, tell=lambda _: None, turn=_turn)}
    verdict = bounds.check([second.get(result.label, result) for result in results], known)
    for words in verdict.unmeasured:
        click.echo(words, err=True)
    for words in verdict.problems:
        click.echo(f"worse than the stored bound: {words}", err=True)
    if verdict.problems:
        sys.exit(1)
    click.echo(f"{verdict.held} bounds hold", err=True)


@main.command(name="bounds")
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def store_bounds(results: Path) -> None:
    """Store the ratios in RESULTS (of --json) as the bounds for --check, beside those of other benchmarks.

    The bounds of what --quick runs are taken from results of --quick only: some of it is done in other numbers there.
    """
    known = bounds.load(bounds.BOUNDS) if bounds.BOUNDS.exists() else {}
    read = _read(results)
    of_quick = {each.label for each in catalogue.select([], quick=True)}
    taken = [each for each in read.results if read.quick or each.label not in of_quick]
    bounds.save(bounds.BOUNDS, known | bounds.of(taken))
    click.echo(f"stored the bounds of {len(taken)} of {len(read.results)} benchmarks")
    if len(taken) < len(read.results):
        click.echo("those of the others are taken from results of --quick")


@main.command(name="chart")
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def draw_charts(results: Path, directory: Path) -> None:
    """Draw RESULTS (of --json) into DIRECTORY: an SVG for each benchmark, and a README.md that shows them."""
    directory.mkdir(parents=True, exist_ok=True)
    read = _read(results)
    for name, text in {**chart.charts(read), "README.md": chart.index(read)}.items():
        (directory / name).write_text(text, encoding="utf-8")
        click.echo(directory / name)


def _read(path: Path) -> report.Report:
    try:
        return report.load(path.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}") from None


class _Progress:
    """A line on stderr that says what is under way: overwritten on a terminal, else one for each benchmark."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = ""

    def tell(self, text: str) -> None:
        if self._live:
            click.echo(f"\r{text:<100.100}", nl=False, err=True)
        elif text.split(": round", 1)[0] != self._last:
            self._last = text.split(": round", 1)[0]
            click.echo(self._last, err=True)

    def end(self) -> None:
        if self._live:
            click.echo(f"\r{'':<100}\r", nl=False, err=True)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
