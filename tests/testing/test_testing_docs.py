"""The document on testing, and the test module to begin from."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_actors

pytest_plugins = ["pytester"]

ROOT = Path(realtime_actors.__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "testing.md").read_text()


def test_the_document_s_snippets_are_tests_that_pass(pytester: pytest.Pytester) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    pytester.makeini("[pytest]\ntrio_mode = true")
    pytester.makepyfile("\n".join(snippets))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=sum(snippet.count("def test_") for snippet in snippets))


def test_what_failures_say_is_as_documented(pytester: pytest.Pytester) -> None:
    counter, test, *others = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (scripted,) = (each for each in others if "ScriptedModel(" in each)
    wrong = test.replace("tell(Add(5))", "tell(Add(5)); counter.tell(Add(2))").replace("value=5", "value=6")
    pytester.makeini("[pytest]\ntrio_mode = true")
    module = counter + wrong + scripted.replace('"s1", "Hi"', '"s1", "Hullo"')
    # On a clock that stands still: the sample says how long it took.
    pytester.makepyfile(module.replace("probe: Probe)", "probe: Probe, virtual_clock: object)"))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    said = re.sub(r"^E? *\|? ?", "", "\n".join(result.outlines), flags=re.MULTILINE)
    said = re.sub(r"ra_\w+", "ra_", re.sub(r"^ +", "", said, flags=re.MULTILINE))
    for sample in re.findall(r"^```text\nExpectationFailed: (.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL):
        for line in sample.splitlines():
            assert re.sub(r"ra_\w+", "ra_", line.strip().rstrip("…")) in said


def lines_quoted(*, containing: str) -> list[str]:
    """The lines of the quotation in the document that has this in it, those with an ellipsis or a place apart."""
    quotations = re.findall(r"^```text\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (quotation,) = (each for each in quotations if containing in each)
    return [line.strip() for line in quotation.splitlines() if "…" not in line and ", line " not in line]


def test_a_crash_looks_as_documented(pytester: pytest.Pytester) -> None:
    counter, test, *_ = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    crashing = "    counter.tell(Add(-1))\n    await probe.expect_nothing(within=0.01)\n"
    both = test[test.index("async def") :].replace("test_it_counts", "test_both").replace("Add(5)", "Add(-1)")
    pytester.makeini("[pytest]\ntrio_mode = true")
    pytester.makepyfile(counter + test[: test.index("    counter.tell")] + crashing + both)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    said = [line.strip() for line in result.outlines]
    for line in lines_quoted(containing="is below 0"):
        assert line in said
    assert "| ExceptionGroup: errors in async test and trio fixtures (2 sub-exceptions)" in said


def test_what_is_said_without_trio_mode_is_as_documented(pytester: pytest.Pytester) -> None:
    counter, test, *_ = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(counter + test)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    (line,) = lines_quoted(containing="Trio fixtures")
    assert any(each.startswith("E ") and each.endswith(line) for each in result.outlines)


WITHOUT_PYTEST = """
import sys
sys.modules.update(dict.fromkeys(["pytest", "_pytest", "pytest_trio"]))  # None: as if they were not installed
import realtime_actors.testing
async def main(runtime):
    return (await realtime_actors.testing.Probe.spawn(runtime, name="probe")).ref.path
assert realtime_actors.testing.run_virtual(main) == "probe"
"""


def test_the_main_module_needs_no_pytest() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_PYTEST], check=True)  # noqa: S603 - it is our own


def test_the_example_passes(pytester: pytest.Pytester) -> None:
    example = ROOT / "examples" / "test_your_own_actor.py"
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", example)
    result.assert_outcomes(passed=8)
