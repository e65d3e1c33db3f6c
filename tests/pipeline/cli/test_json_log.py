import json
import logging

import pytest
from apache_beam.portability.api import beam_fn_api_pb2

from artifactnet.pipeline.cli.json_log import WORKERS_LOG, EventFilter, EventFormatter

EVENT = '{"event": "track_failed", "run_id": "r", "track_id": "t\\"1"}'


def line(name: str, level: int, message: str) -> dict | None:
    record = logging.LogRecord(name, level, "file.py", 1, message, None, None)
    if not EventFilter().filter(record):
        return None
    found: dict = json.loads(EventFormatter().format(record))
    assert found.pop("time")
    return found


def of_worker(message: str) -> str:
    entry = beam_fn_api_pb2.LogEntry(message=message, log_location="x.py:1")
    entry.severity = beam_fn_api_pb2.LogEntry.Severity.INFO
    return f"Worker: {str(entry).replace(chr(10), ' ')}"


@pytest.mark.parametrize(
    ("name", "message"),
    [("artifactnet.transforms.write_shards", EVENT), (WORKERS_LOG, of_worker(EVENT))],
)
def test_fields_of_an_event_stand_beside_time_and_level(name: str, message: str) -> None:
    found = line(name, logging.INFO, message)
    assert found == {
        "level": "INFO",
        "logger": name,
        "event": "track_failed",
        "run_id": "r",
        "track_id": 't"1',
    }


def test_words_stay_words_and_libraries_are_quiet() -> None:
    assert line("artifactnet.pipeline", logging.INFO, "audited 3")["message"] == "audited 3"  # type: ignore[index]
    assert line("urllib3", logging.INFO, "Starting new connection") is None
    assert line("urllib3", logging.ERROR, "reset")["message"] == "reset"  # type: ignore[index]
    assert line(WORKERS_LOG, logging.WARNING, of_worker("no directory")) is None
    assert line(WORKERS_LOG, logging.INFO, "Worker: {not a message}") is None
