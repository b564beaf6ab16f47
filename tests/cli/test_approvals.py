"""Tools that need approval, in the terminal."""

import os
import pty
import re
import subprocess
import sys
import time

from console import Run, environment


def test_without_a_terminal_no_tool_runs_unless_told_so(run: Run, demo: str) -> None:
    ended = run("talk", "--text", "order a taxi to the station", "--url", demo)
    assert (ended.code, ended.err) == (0, "")
    assert "approve   order_taxi: no (--approve)\n" in ended.out
    assert "result    This call was not carried out: the user declined it\n" in ended.out
    ended = run("talk", "--text", "order a taxi to the station", "--url", demo, "--approve", "all")
    assert "approve   order_taxi: yes (--approve)\n" in ended.out
    assert re.search("^Friday +The demo's invented taxi to the station comes in five minutes", ended.out, re.MULTILINE)


def test_on_a_terminal_one_is_asked(demo: str) -> None:
    for answer, words in (("y\n", "comes in five minutes"), ("\n", "the user declined it")):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "realtime_actors", "talk", "--text", "order a taxi", "--url", demo],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(),
        )
        os.close(theirs)
        shown, answered = "", 0
        began = time.monotonic()
        try:
            while time.monotonic() < began + 30:
                try:
                    shown += os.read(ours, 10_000).decode()
                except OSError:  # the terminal is closed at the other end
                    break
                if not answered and "run? [y/N]" in shown:
                    answered = os.write(ours, answer.encode())
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        assert "may order_taxi({}) run? [y/N]" in shown
        assert words in shown
