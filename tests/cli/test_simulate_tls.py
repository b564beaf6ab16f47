"""`simulate` with a certificate: for clients that speak TLS only, as Google's own SDK does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme
from console import Run, Start
from google import genai


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A certificate for this machine, its key, and the certificate to trust."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, root = (str(tmp_path / name) for name in ("chain.pem", "key.pem", "root.pem"))
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(chain, append=number > 0)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(root)
    return chain, key, root


def test_google_s_own_sdk_talks_to_the_command(
    start: Start, files: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the command prints, and the certificate in SSL_CERT_FILE."""
    chain, key, root = files
    options = ("--brain", "scripted", "--speed", "20", "--certificate", chain, "--private-key", key)
    simulator = start("simulate", "gemini", "--port", "0", *options)
    url = simulator.wait_for(r"genai\.Client\(api_key=\"any\", http_options=\{\"base_url\": \"(https://\S+)\"\}\)")[1]
    monkeypatch.setenv("SSL_CERT_FILE", root)

    async def converse() -> str:
        client = genai.Client(api_key="any", http_options={"base_url": url})
        config: Any = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
        words, audio = "", b""
        async with client.aio.live.connect(model="gemini-3.8-live", config=config) as session:
            await session.send_realtime_input(text="Hello?")  # pyright: ignore[reportUnknownMemberType] - PIL's types
            async for message in session.receive():
                content = message.server_content
                words += (content and content.output_transcription and content.output_transcription.text) or ""
                audio += message.data or b""
        assert audio
        return words

    assert asyncio.run(asyncio.wait_for(converse(), 20)) == "I have nothing more to say."


def test_serve_and_talk_reach_it_by_its_printed_url(start: Start, run: Run, files: tuple[str, str, str]) -> None:
    """All simulators have one server."""
    chain, key, root = files
    options = ("--brain", "scripted", "--certificate", chain, "--private-key", key)
    simulator = start("simulate", "xai", "--port", "0", *options)
    url = simulator.wait_for(r"serve --provider xai --url (wss://\S+)")[1]
    environment = {"XAI_API_KEY": "any", "SSL_CERT_FILE": root}
    server = start("serve", "--port", "0", "--provider", "xai", "--url", url, **environment)
    gateway = server.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/")[1]
    ended = run("talk", "--text", "hello", "--url", gateway)
    assert ended.code == 0, ended.err


def test_without_one_it_says_what_google_s_sdk_wants(start: Start) -> None:
    start("simulate", "gemini", "--port", "0", "--brain", "scripted").wait_for("SDK insists on TLS: see --certificate")


def test_what_cannot_be_used_is_said_in_one_sentence(run: Run, tmp_path: Path) -> None:
    alone = run("simulate", "gemini", "--brain", "scripted", "--private-key", "key.pem")
    assert alone.code == 2
    assert "--private-key is for --certificate." in alone.err
    missing = run("simulate", "xai", "--brain", "scripted", "--certificate", str(tmp_path / "none.pem"))
    assert missing.code == 1
    assert "none.pem cannot be read: No such file" in missing.error
