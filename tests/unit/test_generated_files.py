"""Files that are made from the code say what the code says."""

import os
import runpy
from pathlib import Path

import pytest

from churnstream.settings import Settings
from churnstream.settings_sources import PREFIX, load

ROOT = Path(__file__).parents[2]
GENERATED: dict[Path, str] = {
    path: content
    for tool in (
        "write_config",
        "write_metrics",
        "write_grafana",
        "write_schemas",
        "write_asyncapi",
        "write_files",
        "write_topics",
        "write_helm_schema",
    )
    for path, content in runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["files"]().items()
}


@pytest.fixture(autouse=True)
def _only_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment sets does not count here."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_file_is_up_to_date(path: Path) -> None:
    """`make generated` would change nothing."""
    assert path.read_text() == GENERATED[path]


def test_config_yaml_holds_the_defaults() -> None:
    """Reading config.yaml gives the same settings as reading nothing."""
    assert load(ROOT / "config.yaml").model_dump() == Settings.model_construct().model_dump()


def test_every_setting_stands_in_both_files() -> None:
    """No section and no setting is left out of config.yaml or of the document."""
    document = GENERATED[ROOT / "docs" / "configuration.md"]
    in_file = load(ROOT / "config.yaml").model_dump(exclude_unset=True)
    in_code = Settings.model_construct().model_dump()
    names = {f"{section}.{name}" for section in in_code for name in in_code[section]}
    assert names == {f"{section}.{name}" for section in in_file for name in in_file[section]}
    assert [name for name in names if f"| `{name}` |" not in document] == []
