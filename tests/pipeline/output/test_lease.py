import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.pipeline.output import lease
from artifactnet.pipeline.output.folder import OutputError
from artifactnet.pipeline.output.lease import (
    held_lease,
    lease_address,
    release_lease,
    renewed_lease,
    take_lease,
)
from artifactnet.transforms.storage import object_store
from artifactnet.transforms.storage.files import read_marked, swap_bytes, write_bytes
from artifactnet.transforms.write_shards import table_file
from tests.emulators import STORES, Faults

FIRST, SECOND = "20261126T010000-aaaaaa", "20261126T020000-bbbbbb"


@pytest.fixture(params=["local", *(pytest.param(s, marks=pytest.mark.engine) for s in STORES)])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "out")
        return
    with STORES[request.param](Faults()) as bucket:
        object_store._open.cache_clear()
        FileSystems.set_options(PipelineOptions([]))
        yield f"{bucket}/{tmp_path.name}"
        object_store._open.cache_clear()


def test_one_run_at_a_time(output: str) -> None:
    assert held_lease(output) is None
    take_lease(output, FIRST, 60)
    held = held_lease(output)
    assert held is not None
    assert held.run_id == FIRST
    assert held.holder.endswith(f":{os.getpid()}")
    with pytest.raises(OutputError, match=rf"run {FIRST} of .* is writing there; wait for it"):
        take_lease(output, SECOND, 60)
    take_lease(output, FIRST, 60)  # the same run may take it anew
    release_lease(output, SECOND)  # not the holder
    assert held_lease(output) is not None
    release_lease(output, FIRST)
    take_lease(output, SECOND, 60)


def test_a_lease_ends_when_the_run_is_silent(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take_lease(output, FIRST, 60)
    now = time.time()
    monkeypatch.setattr(lease.time, "time", lambda: now + 59 * 60)
    with pytest.raises(OutputError, match="is writing there"):
        take_lease(output, SECOND, 60)
    monkeypatch.setattr(lease.time, "time", lambda: now + 61 * 60)
    assert held_lease(output) is None
    take_lease(output, SECOND, 60)
    assert held_lease(output).run_id == SECOND  # type: ignore[union-attr]


def test_a_shard_is_a_sign_of_life(tmp_path: Path) -> None:
    output = str(tmp_path)
    take_lease(output, FIRST, 60)
    old = f'{{"run_id": "{FIRST}", "holder": "m:1", "taken": {time.time() - 7200}, "minutes": 60}}'
    write_bytes(lease_address(output), old.encode())
    assert held_lease(output) is None
    write_bytes(table_file(output, "tracks", FIRST, 12 * "0"), b"committed just now")
    assert held_lease(output) is not None


def test_of_two_writers_one_is_told_that_it_lost(output: str) -> None:
    address = lease_address(output)
    assert swap_bytes(address, b"one", "")
    if not output.startswith("gs://"):  # the emulator knows no conditions
        assert not swap_bytes(address, b"two", "")
        assert read_marked(address)[0] == b"one"  # type: ignore[index]
    mark = read_marked(address)[1]  # type: ignore[index]
    assert swap_bytes(address, b"three", mark)
    if output.startswith("s3://"):
        assert not swap_bytes(address, b"four", mark)
        assert read_marked(address)[0] == b"three"  # type: ignore[index]


def test_a_process_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    take_lease(str(tmp_path), FIRST, 60, process=True)
    assert held_lease(str(tmp_path)) is not None
    text = Path(lease_address(str(tmp_path))).read_text()
    write_bytes(
        lease_address(str(tmp_path)), text.replace(str(os.getpid()), str(gone.pid)).encode()
    )
    assert held_lease(str(tmp_path)) is None
    take_lease(str(tmp_path), SECOND, 60)


@pytest.mark.parametrize("content", [b'{"run_id": "20', b"[]", b"{}", b'{"run_id":"r","holder":"h",'
                                     b'"taken":"abc","minutes":60}'])  # fmt: skip
def test_damaged_leases_bind_nobody(tmp_path: Path, content: bytes) -> None:
    write_bytes(lease_address(str(tmp_path)), content)
    assert held_lease(str(tmp_path)) is None
    take_lease(str(tmp_path), FIRST, 60)


def test_a_living_process_renews_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWED_SECONDS", 0.05)
    with renewed_lease(str(tmp_path), FIRST):
        taken = held_lease(str(tmp_path)).taken  # type: ignore[union-attr]
        for _ in range(100):
            time.sleep(0.05)
            if held_lease(str(tmp_path)).taken > taken:  # type: ignore[union-attr]
                break
        else:
            pytest.fail("not renewed in 5 s")
    assert held_lease(str(tmp_path)) is None
