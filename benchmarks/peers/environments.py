"""The peers' own virtual environments: kept in a cache folder, made anew when what is to be in them changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from benchmarks.alone import alone
from benchmarks.benchmark import Failed

__all__ = ["DRIVING", "Environment", "default_directory"]

DRIVING = ("attrs>=25.1", "click>=8.2", "orjson>=3.10", "pybase64>=1.4")
"""What the processes of a round need beside the peer, to be driven and measured."""
_SECONDS = 900
_REQUIREMENTS = """
import sys
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
of, but_for = Requirement(sys.argv[1]), set(sys.argv[2:])
for each in map(Requirement, requires(of.name) or ()):
    if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *of.extras)):
        each.marker = None
        print(each.name if each.name in but_for else each)
"""
"""What the first one requires, run in its environment."""


def default_directory() -> Path:
    """Where environments are kept unless told otherwise: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realtime-actors" / "peers"


@attrs.frozen
class Environment:
    """What is to be installed for a peer, with this Python's version."""

    name: str
    requirements: tuple[str, ...]
    but_for: tuple[str, ...] = ()
    """Dependencies of the first of them of which another version than it asks for will do, as its own bound cannot be
    kept with every registry."""

    @property
    def wanted(self) -> str:
        """All that is to be in it: kept with it, so that it is made anew when that changes."""
        return "\n".join((*self.requirements, *(f"but {each}" for each in self.but_for), *DRIVING)) + "\n"

    def python(self, directory: Path, tell: Callable[[str], None]) -> str:
        """The environment's Python. Installs it where it is not there yet, which takes a minute; `tell` hears of it.

        Raises `Failed` with pip's reason when it cannot be installed.
        """
        place = directory / f"{self.name}-{sys.version_info.major}.{sys.version_info.minor}"
        python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
        directory.mkdir(parents=True, exist_ok=True)
        with alone(directory / f"{self.name}.lock"):
            complete = place / "complete.txt"
            if not complete.exists() or complete.read_text(encoding="utf-8") != self.wanted:
                tell(f"installing {', '.join(self.requirements)} into {place}")
                shutil.rmtree(place, ignore_errors=True)
                _run(sys.executable, "-m", "venv", str(place))
                pip = (str(python), "-m", "pip", "install", "--quiet", "--no-input")
                requirements = self.requirements
                if self.but_for:
                    _run(*pip, "--no-deps", self.requirements[0])
                    of_it = _run(str(python), "-c", _REQUIREMENTS, self.requirements[0], *self.but_for).splitlines()
                    requirements = (*of_it, *self.requirements[1:])
                _run(*pip, *requirements, *DRIVING)
                complete.write_text(self.wanted, encoding="utf-8")
        return str(python)


def _run(*command: str) -> str:
    """What it prints. Raises `Failed`."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of this module
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"it was not installed within {_SECONDS} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        why = (errors or lines or ["pip does not say why"])[0]
        raise Failed(f"it cannot be installed: {why[:300]}")
    return done.stdout
