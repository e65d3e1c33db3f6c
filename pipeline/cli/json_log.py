"""The log as JSON: one object a line, the fields of an event beside time and level.

Enters: log records of this process, and those of worker processes, which Beam hands on as the text
of its own message. Leaves: lines on standard error with ``time``, ``level``, ``logger`` and
``message``, or in its place ``event`` with ``run_id``, ``shard``, ``track_id`` ...
"""

import json
import logging
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from google.protobuf import text_format
from pythonjsonlogger.json import JsonFormatter

EVENT = '{"event":'
"""How the message of a record begins that is an event: fields of its own, not words."""

WORKERS_LOG = "apache_beam.runners.portability.local_job_service"
FROM_WORKER = "Worker: "
"""Beam's logger of what worker processes say, and how each of its messages begins."""

OURS = "artifactnet"


def _message(record: logging.LogRecord) -> str:
    """What a record says, be it of this process or of a worker."""
    text = record.getMessage()
    if record.name == WORKERS_LOG and text.startswith(FROM_WORKER):
        try:
            entry = text_format.Parse(text.removeprefix(FROM_WORKER), beam_fn_api_pb2.LogEntry())
            return str(entry.message)
        except text_format.ParseError:
            return text
    return text


class EventFilter(logging.Filter):
    """Passes warnings, our own records, and events of workers; no small talk of libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        ours = record.name.partition(".")[0] == OURS or _message(record).startswith(EVENT)
        least = logging.CRITICAL if record.name == WORKERS_LOG else logging.WARNING
        return ours or record.levelno >= least


class EventFormatter(JsonFormatter):
    """Fields of an event stand beside time and level, not inside the message."""

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Take the event out of the message."""
        super().add_fields(log_data, record, message_dict)
        message = _message(record)
        if message.startswith(EVENT):
            log_data.pop("message", None)
            log_data.update(json.loads(message))
        else:
            log_data["message"] = message
