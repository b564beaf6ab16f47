"""Talking to the demo, each in a process of its own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from console import DATA, Run

from realtime_actors.audio import byte_length, level_dbfs, read_wav, write_wav


def latency(out: str, of: str) -> float:
    found = re.search(rf"{of} ([\d,]+) ms", out)
    assert found, out
    return float(found[1].replace(",", ""))


def test_a_spoken_question_is_heard_looked_up_and_answered_aloud(run: Run, demo: str, tmp_path: Path) -> None:
    reply, events = tmp_path / "reply.wav", tmp_path / "events.jsonl"
    ended = run("talk", str(DATA / "weather.wav"), "--url", demo, "--save", str(reply), "--events", str(events))
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^you +what is the weather in paris$", ended.out, re.MULTILINE)
    assert re.search(r'^tool +get_weather\(\{"city": ?"Paris"\}\)$', ended.out, re.MULTILINE)
    said = "According to the demo's invented weather, it is .* in Paris, at .* degrees"
    assert re.search(rf"^result +{said}", ended.out, re.MULTILINE)
    assert re.search(rf"^Friday +{said}", ended.out, re.MULTILINE)
    assert latency(ended.out, "end of speech -> first audio of the answer") < 1500
    wav = read_wav(reply)
    assert wav.rate == 24000
    assert 2000 < wav.duration_ms < 8000
    assert -40 < level_dbfs(wav.pcm) < -5
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    times = [line["at"] for line in lines]
    assert times == sorted(times)
    sent = [line for line in lines if line["direction"] == "sent"]
    received = [line["event"]["type"] for line in lines if line["direction"] == "received"]
    assert {line["event"]["type"] for line in sent} == {
        "client_session_create", "client_audio_append", "client_playout_update", "client_session_end",
    }  # fmt: skip
    assert received[:2] == ["server_session_created", "agent_ready"]
    assert received[-1] == "server_session_ended"
    assert received.count("agent_response_created") == received.count("agent_response_done") == 2
    # At the pace of speech: a piece for each 20 ms.
    audio = [line["at"] for line in sent if line["event"]["type"] == "client_audio_append"]
    assert audio[-1] - audio[0] == pytest.approx((len(audio) - 1) * 0.02, abs=0.1)


def test_a_text_is_answered(run: Run, demo: str) -> None:
    ended = run("talk", "--text", "what time is it", "--url", demo)
    assert (ended.code, ended.err) == (0, "")
    assert "you       what time is it\n" in ended.out
    assert "tool      get_time({})\n" in ended.out
    assert re.search(r"^Friday +It is \d+:\d\d in the", ended.out, re.MULTILINE)
    assert latency(ended.out, "text sent -> first audio of the answer") < 1500


def test_a_picture_is_shown_before_the_question(run: Run, demo: str, tmp_path: Path) -> None:
    picture, events = tmp_path / "dot.png", tmp_path / "events.jsonl"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    ended = run("talk", "--text", "hello", "--image", str(picture), "--url", demo, "--events", str(events))
    assert (ended.code, ended.err) == (0, "")
    assert f"you       ({picture}: image/png, 2 KB)\nyou       hello\n" in ended.out
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    sent = [line["event"]["type"] for line in lines if line["direction"] == "sent"]
    said = [each for each in sent if each != "client_playout_update"]
    assert said == ["client_session_create", "client_image_append", "client_text_append", "client_session_end"]
    assert "agent_error" not in {line["event"]["type"] for line in lines}


def test_what_is_no_picture_is_refused(run: Run, demo: str) -> None:
    ended = run("talk", "--text", "hello", "--image", str(DATA / "hello.wav"), "--url", demo)
    assert ended.code == 1
    assert "is neither a PNG nor a JPEG image" in ended.error


def test_an_interruption_cuts_the_reply_off(run: Run, demo: str, tmp_path: Path) -> None:
    reply, events = tmp_path / "reply.wav", tmp_path / "events.jsonl"
    ended = run(
        "talk", str(DATA / "count.wav"), "--interrupt-with", str(DATA / "hello.wav"), "--url", demo,
        "--save", str(reply), "--events", str(events),
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    heard = re.search(r"^Friday +One, two.* \[cancelled: (\d\.\d) s of it were heard\]$", ended.out, re.MULTILINE)
    assert heard
    assert 1.0 <= float(heard[1]) < 2.5
    assert re.search(r"^you +hello$", ended.out, re.MULTILINE)
    assert re.search(r"^Friday +Hello!", ended.out, re.MULTILINE)
    assert latency(ended.out, "first sound of the interruption -> reply cancelled") < 600
    kept = re.search(r"^reply +([\d.]+) s heard, ([\d.]+) s that had come were not; saved to", ended.out, re.MULTILINE)
    assert kept
    wav = read_wav(reply)
    assert wav.duration_ms / 1000 == pytest.approx(float(kept[1]), abs=0.02)
    # What was heard of the counting, then the silence in which the interruption was spoken.
    cut = byte_length(float(heard[1]) * 1000, wav.rate)
    assert level_dbfs(wav.pcm[:cut]) > -40
    assert not any(wav.pcm[cut + byte_length(150, wav.rate) : cut + byte_length(400, wav.rate)])
    # The gateway was told how much that is.
    told = [json.loads(line)["event"] for line in events.read_text().splitlines()]
    positions = [event for event in told if event["type"] == "client_playout_update"]
    [stopped] = [each for each in positions if each["item_id"] == positions[0]["item_id"] and not each["playing"]]
    assert stopped["played_ms"] / 1000 == pytest.approx(float(heard[1]), abs=0.1)


def test_a_stereo_wav_of_44100_hz_is_understood(run: Run, demo: str, tmp_path: Path) -> None:
    speech = read_wav(DATA / "time.wav").resampled(44100)
    stereo = np.repeat(np.frombuffer(speech.pcm, "<i2"), 2).astype("<i2").tobytes()
    path = tmp_path / "stereo.wav"
    write_wav(path, stereo, 44100)
    header = bytearray(path.read_bytes())
    header[22:24], header[28:32], header[32:34] = b"\2\0", (44100 * 4).to_bytes(4, "little"), b"\4\0"
    path.write_bytes(header)
    ended = run("talk", str(path), "--url", demo)
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^you +what time is it$", ended.out, re.MULTILINE)


def test_a_wav_in_which_nobody_speaks_gets_no_answer(run: Run, demo: str, tmp_path: Path) -> None:
    write_wav(tmp_path / "silence.wav", bytes(16000), 16000)
    ended = run("talk", str(tmp_path / "silence.wav"), "--url", demo, "--timeout", "1")
    assert ended.code == 1
    assert ended.error.startswith("the server heard no speech, and did not answer within 1 s")


def test_a_reply_that_is_too_short_to_be_interrupted_is_said_to_be(run: Run, demo: str) -> None:
    ended = run("talk", "--text", "thanks", "--interrupt-with", str(DATA / "hello.wav"), "--url", demo)
    assert ended.code == 1
    assert "before it could be interrupted" in ended.error
