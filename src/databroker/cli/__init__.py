"""The command line: ``databroker --help``."""

import warnings
from typing import Any

import click

from databroker import __version__
from databroker.cli.demo import demo
from databroker.cli.runs import backup, list_runs, show
from databroker.errors import DatabrokerError, DatabrokerWarning

__all__ = ["main"]

EXAMPLES = """\b
Examples:
  databroker demo                     see what it does, in half a minute
  databroker list runs.db             the newest Runs
  databroker show runs.db -1          the newest Run
  databroker show runs.db 5f3a        the Run whose uid begins with 5f3a
  databroker backup runs.db copy.db   a copy, also while Runs are recorded

\b
The STORE comes first. Leave it out where DATABROKER_STORE names it:
  export DATABROKER_STORE=/data/runs.db
  databroker show -1
"""

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class Commands(click.Group):
    """Commands that say what went wrong in one line, instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its errors and warnings become lines on stderr."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DatabrokerWarning)
            try:
                return super().invoke(ctx)
            except BrokenPipeError:  # the reader of a pipe has seen enough: click ends quietly
                raise
            except (DatabrokerError, OSError) as error:
                raise click.ClickException(_one_line(error)) from error
            finally:
                for warning in caught:
                    _tell(warning)


def _tell(warning: warnings.WarningMessage) -> None:
    if isinstance(warning.message, DatabrokerWarning):
        click.echo(f"Warning: {_one_line(warning.message)}", err=True)


def _one_line(message: Exception) -> str:
    return " ".join(str(message).split())


@click.group(cls=Commands, epilog=EXAMPLES, context_settings=HELP_OPTIONS)
@click.version_option(__version__, prog_name="databroker")
def main() -> None:
    """Record Bluesky experiments, and find their Runs again."""


for command in (demo, list_runs, show, backup):
    main.add_command(command)
