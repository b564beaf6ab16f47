"""What is printed as it comes, and what when it is complete."""

import pytest

from realtime_actors.cli.talking.screen import Screen


def test_away_from_a_terminal_each_thing_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=False, progress=False)
    screen.words("Friday", "a", "It is")
    screen.line("you", "what time is it")
    screen.words("Friday", "a", " noon.")
    screen.status("waiting")
    screen.end_words("Friday", "a")
    captured = capsys.readouterr()
    assert captured.out == "you       what time is it\nFriday    It is noon.\n"
    assert captured.err == ""


def test_on_a_terminal_words_are_shown_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True, progress=False)
    screen.words("Friday", "a", "It is")
    assert capsys.readouterr().out == "Friday    It is"
    screen.words("Friday", "a", " noon.")
    assert capsys.readouterr().out == " noon."
    screen.line("you", "stop")
    screen.words("Friday", "a", " And")
    screen.end_words("Friday", "a", note="[cancelled]")
    assert capsys.readouterr().out == "\nyou       stop\nFriday    And [cancelled]\n"


def test_progress_is_wiped_away_before_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=False, progress=True)
    screen.status("speaking")
    screen.status("speaking")
    screen.line("you", "hello")
    screen.end()
    assert capsys.readouterr().err == "\r\x1b[Kspeaking\r\x1b[K"
