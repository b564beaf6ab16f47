"""Where and with what a run was made."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

__all__ = ["Machine", "look"]

_LIBRARIES = ("trio", "attrs", "cattrs", "orjson", "msgpack", "msgspec", "pybase64", "trio-websocket", "wsproto")
_LIBRARIES_OF_FLOORS = ("websockets",)


@attrs.frozen
class Machine:
    """The machine and the versions. `load` are the load averages of the last 1, 5 and 15 minutes, at the start."""

    cpu: str
    cores: int
    system: str
    python: str
    libraries: dict[str, str]
    commit: str
    date: str
    load: tuple[float, float, float]


def look() -> Machine:
    """This machine, now."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        libraries={name: found for name in (*_LIBRARIES, *_LIBRARIES_OF_FLOORS) if (found := _version(name))},
        commit=_commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        load=os.getloadavg(),
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run(  # noqa: S603 - a fixed command
        [git, "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip()
