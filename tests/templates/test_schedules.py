"""Each schedule is read by the tool, or the types, of who owns its format."""

import base64
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from google.cloud import dataflow_v1beta3, scheduler_v1
from google.protobuf.json_format import ParseError

TEMPLATES = Path(__file__).parents[2] / "templates"
AIRFLOW = (
    "apache-airflow==2.10.*",
    "apache-airflow-providers-google",
    "apache-airflow-providers-apache-beam",
)
OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"
KUBERNETES = "1.31"


def documents(path: Path) -> list[dict]:
    return list(yaml.safe_load_all(path.read_text()))


def kubernetes_documents() -> list[dict]:
    found = documents(TEMPLATES / "schedules" / "cronjob.yaml")
    found += documents(TEMPLATES / "kubernetes" / "flink-deployment.yaml")
    return [one for one in found if one["kind"] != "FlinkDeployment"]


@pytest.mark.parametrize("document", kubernetes_documents(), ids=lambda one: one["kind"])
def test_kubernetes_takes_it(document: dict) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document | {"spek": {}}, KUBERNETES, strict=True)


def test_weekly_audits_never_overlap_and_pass_on_flags_that_exist() -> None:
    from artifactnet.pipeline.cli.beam_flags import beam_flags

    (job,) = documents(TEMPLATES / "schedules" / "cronjob.yaml")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    command = container["command"]
    assert command[:2] == ["artifactnet", "audit"]
    own = ("--output", "--fail-on-errors")
    beam_flags([flag for flag in command[3:] if not flag.startswith(own)], own)


def flink_schema(tmp_path: Path) -> dict:
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={OPERATOR}",
         f"-DoutputDirectory={tmp_path}"],
        capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    jars = list(tmp_path.glob("*.jar"))
    if fetched.returncode or not jars:
        pytest.skip("Maven can't fetch the operator's definitions here")
    with zipfile.ZipFile(jars[0]) as jar:
        text = jar.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml")
    (version,) = yaml.safe_load(text)["spec"]["versions"]
    schema: dict = version["schema"]["openAPIV3Schema"]
    return schema


def closed(schema: dict) -> dict:
    """The same schema, refusing fields that it doesn't know, as the API server's pruning would."""
    if schema.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema = {**schema, "additionalProperties": False}
    return {
        key: {name: closed(one) for name, one in value.items()}
        if key == "properties"
        else closed(value)
        if key == "items" and isinstance(value, dict)
        else value
        for key, value in schema.items()
    }


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mvn") is None, reason="Maven is not installed")
def test_the_flink_operator_takes_it(tmp_path: Path) -> None:
    (deployment,) = [
        one
        for one in documents(TEMPLATES / "kubernetes" / "flink-deployment.yaml")
        if one["kind"] == "FlinkDeployment"
    ]
    body = {"metadata": deployment["metadata"], "spec": deployment["spec"]}
    schema = closed(flink_schema(tmp_path)["properties"]["spec"])
    jsonschema.validate(body["spec"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body["spec"] | {"flinkVersion": "v9"}, schema)
    names = {c["name"] for c in body["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]}
    assert names == {"flink-main-container", "sdk-workers"}


def check_launch(body: dict) -> None:
    """Dataflow's types take the request, and the template knows its parameters."""
    request = dataflow_v1beta3.LaunchFlexTemplateRequest.from_json(
        json.dumps({"projectId": "p", "location": "r", **body})
    )
    metadata = json.loads((TEMPLATES / "dataflow" / "metadata.json").read_text())
    known = {one["name"] for one in metadata["parameters"]} | {"sdk_container_image"}
    assert set(request.launch_parameter.parameters) <= known
    environment = request.launch_parameter.environment
    assert environment.machine_type
    assert environment.service_account_email
    assert environment.temp_location.startswith("gs://")
    for one in metadata["parameters"]:
        value = request.launch_parameter.parameters.get(one["name"], "")
        assert not value or any(re.fullmatch(rule, value) for rule in one["regexes"]), one


def test_cloud_scheduler_and_dataflow_take_it() -> None:
    job = json.loads((TEMPLATES / "schedules" / "cloud_scheduler.json").read_text())
    launch = job["httpTarget"]["body"]
    check_launch(launch)
    with pytest.raises(ParseError):
        dataflow_v1beta3.LaunchFlexTemplateRequest.from_json(json.dumps({"launchParametr": {}}))
    job["httpTarget"]["body"] = base64.b64encode(json.dumps(launch).encode()).decode()
    scheduled = scheduler_v1.Job.from_json(json.dumps(job))
    assert scheduled.schedule == "0 3 * * 1"
    assert json.loads(scheduled.http_target.body) == launch


DAG_CHECK = """
import json, sys
from airflow.models import DagBag
from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator

launched = []

def stand_in(self, context):
    launched.append({"body": self.body, "append": self.append_job_name, "project": self.project_id})

DataflowStartFlexTemplateOperator.execute = stand_in
bag = DagBag(sys.argv[1], include_examples=False)
dag = bag.dags.get("artifactnet_weekly_audit")
refused = []
if dag:
    for values in ({"segments": "none"}, {"output": "/local"}, {"max_workers": 0}):
        try:
            params = dag.params.copy()
            params.update(values)
            params.validate()
        except Exception as error:
            refused.append(type(error).__name__)
    run = dag.test(run_conf={"output": "gs://b/weekly", "project": "my-project"})
    state = str(run.state)
print(json.dumps({
    "errors": {k: str(v) for k, v in bag.import_errors.items()},
    "tasks": sorted(dag.task_ids) if dag else [],
    "runs": dag.max_active_runs if dag else None,
    "catchup": dag.catchup if dag else None,
    "refused": refused,
    "launched": launched,
    "state": state,
}))
"""


@pytest.mark.slow(130)
def test_airflow_takes_it(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if not Path(uv).exists():
        pytest.skip("uv is not here to fetch Airflow with")
    (tmp_path / "dags").mkdir()
    shutil.copy(TEMPLATES / "schedules" / "airflow_dag.py", tmp_path / "dags")
    command = [uv, "run", "--quiet", "--no-project", "--isolated", "--python", "3.11"]
    command += [word for package in AIRFLOW for word in ("--with", package)]
    fetched = subprocess.run(
        [*command, "python", "-c", "import airflow"], capture_output=True, text=True,
        check=False, cwd=tmp_path, env=airflow_environment(tmp_path),
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"Airflow can't be fetched here: {fetched.stderr[-200:]}")
    subprocess.run(
        [*command, "airflow", "db", "migrate"], capture_output=True, check=True, cwd=tmp_path,
        env=airflow_environment(tmp_path),
    )  # fmt: skip
    done = subprocess.run(
        [*command, "python", "-c", DAG_CHECK, str(tmp_path / "dags")], capture_output=True,
        text=True, check=True, cwd=tmp_path, env=airflow_environment(tmp_path),
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["tasks"] == ["audit"]
    assert (found["runs"], found["catchup"]) == (1, False)
    assert len(found["refused"]) == 3
    assert "success" in found["state"]
    (launched,) = found["launched"]
    assert (launched["append"], launched["project"]) == (False, "my-project")
    launch = launched["body"]["launchParameter"]
    assert launch["parameters"]["output"] == "gs://b/weekly"
    assert "{{" not in json.dumps(launch)
    check_launch(launched["body"])


def airflow_environment(home: Path) -> dict[str, str]:
    import os

    own = {"AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__CORE__UNIT_TEST_MODE": "True"}
    return {**os.environ, **own, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
