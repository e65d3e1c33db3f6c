"""The Flex Template: its entry point is run up to the job request, and the request is read."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from apache_beam.portability.api import beam_runner_api_pb2

from artifactnet.transforms.storage import object_store
from tests.conftest import music
from tests.emulators import Faults, gcs, put

TEMPLATE = Path(__file__).parents[2] / "templates" / "dataflow"
sys.path.insert(0, str(TEMPLATE))
from launch import command_line, main  # noqa: E402

pytestmark = pytest.mark.engine
IMAGE = "europe-docker.pkg.dev/p/artifactnet/audit:cuda"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("music") / "a.wav"
    soundfile.write(path, music(4), 44_100)
    with gcs(Faults()) as bucket:
        object_store._open.cache_clear()
        put(f"{bucket}/music/a.wav", path.read_bytes())
        put(f"{bucket}/m.jsonl", b'{"track_id": "a", "uri": "music/a.wav"}\n')
        yield bucket
        object_store._open.cache_clear()


def arguments(bucket: str, **parameters: str) -> list[str]:
    """What Dataflow's launcher hands to the entry point."""
    usual = {
        "catalogue": f"{bucket}/m.jsonl",
        "output": f"{bucket}/audit",
        "project": "artifactnet-test",
        "region": "europe-west4",
        "job_name": "audit-weekly",
        "staging_location": f"{bucket}/staging",
        "temp_location": f"{bucket}/temp",
        "template_location": f"{bucket}/staging/template_launches/1/job_object",
        "sdk_container_image": IMAGE,
        "worker_machine_type": "g2-standard-8",
        "max_num_workers": "50",
    }
    return [f"--{name}={value}" for name, value in (usual | parameters).items()]


@pytest.fixture(scope="module")
def request_of_job(bucket: str) -> dict:
    accelerator = "type:nvidia-l4;count:1;install-nvidia-driver"
    before = sys.argv
    given = arguments(bucket, accelerator=accelerator, segments="3")
    sys.argv = ["launch.py", *command_line(given)]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert ended.value.code == 0
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client("p", AnonymousCredentials())
    blobs = {blob.name: blob for blob in client.list_blobs("music")}
    described = json.loads(blobs["staging/template_launches/1/job_object"].download_as_bytes())
    (pipeline,) = [
        blobs[name].download_as_bytes() for name in blobs if name.endswith("pipeline.pb")
    ]
    return {"job": described, "pipeline": pipeline, "names": sorted(blobs)}


def test_machines_and_image(request_of_job: dict) -> None:
    environment = request_of_job["job"]["environment"]
    pools = {pool.get("kind"): pool for pool in environment["workerPools"]}
    workers = pools["harness"]
    assert workers["machineType"] == "g2-standard-8"
    assert workers["autoscalingSettings"]["maxNumWorkers"] == 50
    images = [one["containerImage"] for one in workers["sdkHarnessContainerImages"]]
    assert set(images) == {IMAGE}


def test_no_main_session_and_nothing_built_on_the_worker(request_of_job: dict) -> None:
    assert not [name for name in request_of_job["names"] if "main_session" in name]
    options = request_of_job["job"]["environment"]["sdkPipelineOptions"]["options"]
    for name in ("save_main_session", "setup_file", "requirements_file", "extra_packages"):
        assert not options.get(name), name


def test_stages_and_gpu(request_of_job: dict) -> None:
    proto = beam_runner_api_pb2.Pipeline.FromString(request_of_job["pipeline"])
    components = proto.components
    names = [one.unique_name for one in components.transforms.values()]
    for stage in ("ReadManifest", "SkipUnchanged", "AssignShards", "AuditRows", "CountRows"):
        assert any(name.startswith(stage) for name in names), stage

    def accelerator(prefix: str) -> set[bytes]:
        found = set()
        for one in components.transforms.values():
            if one.unique_name.startswith(prefix) and one.environment_id:
                hints = components.environments[one.environment_id].resource_hints
                found.add(hints.get("beam:resources:accelerator:v1", b""))
        return found

    assert accelerator("AuditRows/Decode") == {b"type:nvidia-l4;count:1;install-nvidia-driver"}
    assert accelerator("ReadManifest/Parse") == {b""}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"catalogue": ""}, "needs the parameters catalogue and output"),
        ({"segments": "none"}, "number of windows"),
        ({"codecs": "wma"}, "unknown codec"),
        ({"worker_machine_typ": "x"}, "did you mean --worker_machine_type"),
        ({"catalogue": "gs://music/none.jsonl"}, "no such file"),
    ],
)
def test_bad_parameters_fail_at_launch(
    bucket: str, parameters: dict, said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(
            sys, "argv", ["launch.py", *command_line(arguments(bucket, **parameters))]
        )
        main()
    assert ended.value.code not in (0, None)
    assert said in f"{capsys.readouterr().err} {ended.value.code}".replace("\n", " ")


def test_metadata_describes_the_parameters() -> None:
    metadata = json.loads((TEMPLATE / "metadata.json").read_text())
    values = {one["name"]: one for one in metadata["parameters"]}
    accepted = {
        "catalogue": ["gs://b/m.jsonl", "s3://b/music/*.flac"],
        "output": ["gs://b/audit"],
        "segments": ["7", "all"],
        "codecs": ["wav,mp3:128k,aac:128k:libfdk_aac"],
        "accelerator": ["", "type:nvidia-l4;count:1;install-nvidia-driver"],
        "workerRam": ["", "8GB"],
        "failOnErrors": ["", "0.05", "1"],
    }
    refused = {
        "catalogue": ["m.jsonl"],
        "output": ["gs://b/*"],
        "segments": ["-1", "0"],
        "codecs": ["wav;mp3"],
        "accelerator": ["gpu"],
        "workerRam": ["lots"],
        "failOnErrors": ["5", "-1", "5%"],
    }
    assert set(values) == set(accepted)
    for name, parameter in values.items():
        assert parameter["label"]
        assert parameter["helpText"]
        (pattern,) = parameter["regexes"]
        assert all(re.fullmatch(pattern, text) for text in accepted[name])
        assert not any(re.fullmatch(pattern, text) for text in refused[name])
