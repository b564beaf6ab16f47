"""`serve` with files that are no certificate: refused in a sentence."""

from pathlib import Path

from console import Run


def test_a_certificate_that_cannot_be_used(run: Run, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not PEM")
    for options, words in (
        (["--certificate", str(tmp_path / "none.pem")], "none.pem cannot be read: No such file"),
        (["--certificate", str(nonsense)], "nonsense.pem has to hold a certificate"),
        (["--private-key", str(nonsense)], "private_key is given without certificate"),
    ):
        ended = run("serve", "--port", "0", *options, OPENAI_API_KEY="sk-never-shown")
        assert (ended.code, ended.out) == (1, "")
        assert words in ended.error
        assert "sk-never-shown" not in ended.err
