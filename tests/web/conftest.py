"""The live page in a real Chromium, over flows on the embedded broker."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from integration.conftest import (  # noqa: F401  # fixtures
    _scale_is_known_to_tests_only,
    broker,
    flow,
    free_address,
    model_folder,
    new_flow,
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("chromium is missing: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        # Without a sandbox, since containers run as root; it opens nothing but our own page.
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
