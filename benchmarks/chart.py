"""Charts of results: an SVG for each benchmark, that suits a light page and a dark one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .report import Report
from .runner import Result

__all__ = ["charts"]

_WIDTH, _LEFT, _RIGHT = 760, 210, 120
_BAR, _GAP, _HEAD, _FOOT = 16, 14, 62, 46
_OURS = ("#3b6fd4", "#7fa3e8", "#1f4a9c")
_OTHERS = ("#8a8f98", "#b3b7bd", "#666b73", "#d0d3d7")

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
    """An SVG for each benchmark, with all its cases, by a name for its file."""
    by_name: dict[str, list[Result]] = {}
    for result in report.results:
        by_name.setdefault(result.name, []).append(result)
    return {_file_name(name): _chart(report, results) for name, results in by_name.items()}


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".svg"


def _chart(report: Report, results: Sequence[Result]) -> str:
    first = results[0]
    measure, unit = first.main, first.measures[first.main]
    colours = _colours(first)
    body: list[str] = []
    y = float(_HEAD)
    for result in results:
        if result.case:
            body.append(f'<text x="16" y="{y + _BAR - 4}">{escape(result.case)}</text>')
        # Within a case: what 100 sessions take and what one takes are not to be read by one scale.
        most = max((found.high for each in result.contestants if (found := result.values(each, measure))), default=0.0)
        for contestant in result.contestants:
            body.append(_bar(result, contestant, y, most, colours[contestant]))
            y += _BAR + 2
        y += _GAP
    height = y + _FOOT
    machine = report.machine
    versions = ", ".join(f"{name} {machine.libraries[name]}" for name in ("trio", "trio-websocket", "websockets"))
    foot = [
        f"{machine.cpu}, {machine.cores} cores, {machine.system}, {machine.python}; {versions}",
        f"{machine.date}, commit {machine.commit or 'unknown'}, load {machine.load[0]:.1f}; "
        f"medians of {report.rounds} interleaved rounds, lines from the least to the most; each case has its own scale",
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img">',
            f"<title>{escape(first.name)}: {escape(measure)} in {unit}, less is better</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" width="{_WIDTH}" height="{height:g}" rx="6"/>',
            f'<text class="title" x="16" y="26">{escape(first.name)}: {escape(measure)} in {unit}</text>',
            f'<text class="small" x="16" y="44">{escape(_short(first.about))} Less is better.</text>',
            *body,
            *(
                f'<text class="small" x="16" y="{height - 26 + 14 * line:g}">{escape(words)}</text>'
                for line, words in enumerate(foot)
            ),
            "</svg>",
            "",
        ]
    )


def _short(about: str) -> str:
    return about if len(about) <= 120 else about[:117] + "..."


def _colours(result: Result) -> dict[str, str]:
    others = [each for each in result.contestants if each not in result.ours]
    return {name: _OURS[place % len(_OURS)] for place, name in enumerate(result.ours)} | {
        name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(others)
    }


def _bar(result: Result, contestant: str, y: float, most: float, colour: str) -> str:
    found, ratio = result.values(contestant, result.main), result.ratio(contestant, result.main)
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
