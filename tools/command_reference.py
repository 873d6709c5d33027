"""The reference of commands: what `--help` says of each, in one text."""

from collections.abc import Iterator

import click

from churnstream.cli import cli

WIDTH = 88  # as many letters as fit on a page


def command_reference() -> str:
    """A section for each command, after its name; groups of commands have none."""
    top = click.Context(cli, info_name="churnstream", terminal_width=WIDTH, **cli.context_settings)
    return "".join(
        f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
        for context in _contexts(top)
    )


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """Each command as it is called from the group above it."""
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        if found := command.get_command(context, name):
            yield from _contexts(
                click.Context(found, parent=context, info_name=name, **found.context_settings)
            )
