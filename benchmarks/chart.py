"""Charts of results: an SVG for each benchmark, that suits a light page and a dark one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .peers import goals
from .report import Report
from .runner import Result

__all__ = ["charts", "index"]

_WIDTH, _LEFT, _RIGHT = 760, 170, 120
_BAR, _GAP, _HEAD, _FOOT, _LINE = 16, 10, 62, 56, 14
_TIME_UNDER_WAY = "ms"
_OURS = ("#3b6fd4", "#7fa3e8", "#1f4a9c")
_OTHERS = ("#8a8f98", "#b3b7bd", "#666b73", "#d0d3d7")

_AGAINST_PEERS = (
    "Medians; in brackets what ours is of theirs, in the same rounds. The machine's load average was {:.1f} before and "
    "{:.1f} after: more than 2 is the work of others."
)
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 10.5px; fill: #59636e; }
.page { fill: #ffffff; }
.whisker { stroke: #1f2328; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .page { fill: #0d1117; }
  .whisker { stroke: #e6edf3; }
}
"""


def charts(report: Report) -> dict[str, str]:
    """An SVG for each benchmark, with all its cases, by a name for its file.

    It shows what is measured in the unit of the first measure; what else is measured in ms has another one.
    """
    by_name: dict[str, list[Result]] = {}
    for result in report.results:
        by_name.setdefault(result.name, []).append(result)
    found: dict[str, str] = {}
    for name, results in by_name.items():
        units = results[0].measures
        first = units[results[0].main]
        found[_file_name(name)] = _chart(report, results, first)
        if first != _TIME_UNDER_WAY and _TIME_UNDER_WAY in units.values():
            found[_file_name(f"{name} {_TIME_UNDER_WAY}")] = _chart(report, results, _TIME_UNDER_WAY)
    return found


def index(report: Report) -> str:
    """A page in Markdown with all charts, for beside them."""
    machine = report.machine
    against_peers = any(result.group == goals.GROUP for result in report.results)
    lines = [
        "# Benchmarks against peers, drawn" if against_peers else "# Benchmarks, drawn",
        "",
        f"Of {machine.date}, on {machine.cpu} with {machine.cores} cores, {machine.system}, {machine.python}, commit "
        f"{machine.commit or 'unknown'}.",
        "",
        f"What is measured, and how: [Benchmarks]({'../' * (1 + against_peers)}benchmarks.md). To do it again:",
        "",
        "```bash",
        f"python -m benchmarks {'--peers ' * against_peers}--json results.json",
        f"python -m benchmarks chart results.json docs/benchmarks/{'peers/' * against_peers}",
        "```",
        "",
        _AGAINST_PEERS.format(machine.load[0], report.load_after[0])
        if against_peers
        else "The same work on other projects: [Peers](peers/README.md).",
    ]
    if against_peers:
        lines += ["", "## Goals", "", goals.table(report), "", "## Ours and theirs", "", goals.comparison(report)]
    return "\n".join([*lines, *(f"\n![{name.removesuffix('.svg')}]({name})" for name in charts(report)), ""])


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".svg"


def _chart(report: Report, results: Sequence[Result], unit: str) -> str:
    first = results[0]
    colours = _colours(results)
    measures = [measure for measure, its_unit in first.measures.items() if its_unit == unit]
    body: list[str] = []
    y = float(_HEAD)
    for result in results:
        for measure in measures:
            spreads = [result.values(each, measure) for each in result.contestants]
            # Of its own: what 100 sessions take and what one takes are not to be read by one scale.
            most = max((each.high for each in spreads if each is not None), default=0.0)
            if not any(spreads) and measure != result.main:
                continue  # not looked for with --quick
            words = ": ".join(filter(None, (result.case, measure if len(measures) > 1 else "")))
            if words:
                body.append(f'<text x="16" y="{y + 10}">{escape(words)}</text>')
                y += _LINE + 2
            for contestant in result.contestants:
                body.append(_bar(result, contestant, measure, y, most=most, colour=colours[contestant]))
                y += _BAR + 2
            y += _GAP
    height = y + _FOOT
    what = ", ".join(measures) if len(measures) <= 2 else "times" if unit in ("µs", "ms") else "values"
    title = (
        f"{first.name}: {what}{f' in {unit}' if unit else ''}, {'more' if first.more_is_better else 'less'} is better"
    )
    machine = report.machine
    versions = (f"{name} {machine.libraries[name]}" for name in ("trio", "trio-websocket", "websockets"))
    foot = [
        f"{machine.cpu}, {machine.cores} cores, {machine.system}; {machine.date}, load {machine.load[0]:.1f}",
        f"{machine.python}, {', '.join(versions)}; commit {machine.commit or 'unknown'}",
        f"Medians of {_rounds(results)} interleaved rounds, lines from the least to the most; each group has its own "
        "scale.",
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" width="{_WIDTH}" height="{height:g}" rx="6"/>',
            f'<text class="title" x="16" y="26">{escape(title)}</text>',
            f'<text class="small" x="16" y="44">{escape(_short(first.about))}</text>',
            *body,
            *(
                f'<text class="small" x="16" y="{height - _FOOT + 18 + _LINE * line:g}">{escape(words)}</text>'
                for line, words in enumerate(foot)
            ),
            "</svg>",
            "",
        ]
    )


def _rounds(results: Sequence[Result]) -> str:
    counts = sorted({len(each.rounds) for each in results})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _short(about: str) -> str:
    return about if len(about) <= 135 else about[:132] + "..."


def _colours(results: Sequence[Result]) -> dict[str, str]:
    """The same for a contestant in each case, whichever cases it has a part in."""
    ours = list(dict.fromkeys(name for result in results for name in result.ours))
    everybody = dict.fromkeys(name for result in results for name in result.contestants)
    others = [name for name in everybody if name not in ours]
    return {name: _OURS[place % len(_OURS)] for place, name in enumerate(ours)} | {
        name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(others)
    }


def _bar(result: Result, contestant: str, measure: str, y: float, *, most: float, colour: str) -> str:
    found, ratio = result.values(contestant, measure), result.ratio(contestant, measure)
    name = f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end" class="small">{escape(contestant)}</text>'
    if found is None or not most:
        return name + f'<text x="{_LEFT}" y="{y + 12}" class="small">no round of it counts</text>'
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    middle = y + _BAR / 2
    words = f"{found.median:.4g}" + (
        f" ({ratio.median:.2f}x)" if ratio is not None and contestant != result.baseline else ""
    )
    return (
        f"{name}"
        f'<rect x="{_LEFT}" y="{y}" width="{found.median * scale:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>'
        f'<line class="whisker" x1="{_LEFT + found.low * scale:.1f}" x2="{_LEFT + found.high * scale:.1f}" '
        f'y1="{middle}" y2="{middle}"/>'
        f'<text class="small" x="{_LEFT + found.high * scale + 6:.1f}" y="{y + 12}">{words}</text>'
    )
