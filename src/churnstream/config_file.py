"""A file of settings: its values as the text that stands there, and the lines they stand on.

No value is guessed at: `10:30` is no number of minutes, `0123` not 83, `no` not false, and a
timestamp stays the text that was written. What a value means is decided by the setting's type.
What is wrong is named by its line; no message quotes the file, which may hold a password.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from churnstream.errors import ConfigurationError

Names = tuple[str, ...]
"""Names from the outermost section inwards."""

_NULL, _MERGE, _STR = (f"tag:yaml.org,2002:{name}" for name in ("null", "merge", "str"))
_PLAIN = {_NULL, _MERGE, _STR, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_IMPLICIT = {_NULL, _MERGE}
_ADVICE = {  # by what the parser's complaint contains
    "alias": "a value that begins with * needs quotes",
    "anchor": "a value that begins with & needs quotes",
    "'\\t'": "indent with spaces, not with tabs",
    "single document": "only one document is read; remove the line ---",
    "for merging": "<< takes the settings of another section and nothing else",
}


class ConfigFile(NamedTuple):
    """What a file sets.

    Attributes:
        values: Sections of settings; texts, None, lists and dictionaries of them.
        lines: Where each name stands, counted from 1.
    """

    values: dict[str, Any]
    lines: dict[Names, int]


def read_config(path: Path) -> ConfigFile:
    """Read a file of settings in YAML.

    Raises:
        ConfigurationError: It cannot be read or is no YAML, a name stands twice, or it does not
            hold sections of settings.
    """
    try:
        loader = _Loader(path.read_bytes())
        root = loader.get_single_node()
        lines = dict(_lines(path, root)) if root else {}
        values = loader.construct_document(root) if root else {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.reader.ReaderError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(f"{path}{_place(error)}: {_advice(error)}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: is nested too deeply, or within itself") from error
    if root and not isinstance(values or {}, dict):
        raise _fault(
            path, root, "expected sections of settings, as in the repository's config.yaml"
        )
    return ConfigFile(values or {}, lines)


class _Loader(yaml.SafeLoader):
    """Takes every value for text, except null."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # how PyYAML has it
        first: [(tag, regexp) for tag, regexp in resolvers if tag in _IMPLICIT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _lines(path: Path, node: yaml.Node, above: Names = ()) -> Iterator[tuple[Names, int]]:
    """Every name with its line; looks at names and tags on the way."""
    if node.tag not in _PLAIN:
        raise _fault(path, node, "a value that begins with ! needs quotes")
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from _lines(path, part, above)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode) or name.tag not in (_STR, _MERGE):
            raise _fault(path, name, "the name of a setting must be text")
        line, here = name.start_mark.line + 1, (*above, name.value)
        if name.tag == _STR and (before := seen.get(name.value.lower())):
            raise _fault(path, name, f"setting {'.'.join(here)} stands in line {before} already")
        seen[name.value.lower()] = line
        yield here, line
        yield from _lines(path, value, here if name.tag == _STR else above)


def _fault(path: Path, node: yaml.Node, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{path}, line {node.start_mark.line + 1}: {problem}")


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _advice(error: yaml.MarkedYAMLError) -> str:
    complaint = f"{error.context} {error.problem}"
    for word, advice in _ADVICE.items():
        if word in complaint:
            return advice
    return "is no valid YAML; a value with special characters needs quotes"
