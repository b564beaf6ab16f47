"""The tests here drive the page in Chromium: `pytest -m page`."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register their mark."""
    config.addinivalue_line("markers", "page: drives the page in headless Chromium")
