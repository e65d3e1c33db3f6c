"""What several commands share that is no part of a request: output as JSON, and the log.

Enters: text of the command line. Leaves: Typer's types, and a log on standard error.
"""

import logging
import os
import threading
import warnings
from enum import Enum
from typing import Annotated

import typer

Overwrite = Annotated[bool, typer.Option(help="Replace what is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class LogFormat(Enum):
    """How the log looks."""

    TEXT = "text"
    JSON = "json"


def set_up_logging(verbose: bool, form: LogFormat = LogFormat.TEXT) -> None:
    """Our own log on standard error; Beam's as well when ``verbose``.

    As JSON it also tells of every shard that is committed and every track that fails.
    """
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("artifactnet.pipeline").setLevel(logging.INFO)
    if not verbose:
        # Beam warns of matters of its own on every run, e.g. that a worker has no folder for
        # types which nobody registers; and what makes a job fail is said at the end, in a line.
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
        warnings.filterwarnings("ignore", module="apache_beam")
        threading.excepthook = _log_thread_failure
    if form is LogFormat.JSON:
        from artifactnet.pipeline.cli.json_log import WORKERS_LOG, EventFilter, EventFormatter

        for name in ("artifactnet.transforms", WORKERS_LOG):
            logging.getLogger(name).setLevel(logging.INFO)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(EventFormatter())
            if not verbose:
                handler.addFilter(EventFilter())


def logs_json() -> bool:
    """Whether the log is JSON."""
    names = (type(handler.formatter).__name__ for handler in logging.getLogger().handlers)
    return "EventFormatter" in names


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """Beam's threads that die with a job are part of its log, not of ours."""
    logging.getLogger("apache_beam").error("%s", failure.exc_value)
