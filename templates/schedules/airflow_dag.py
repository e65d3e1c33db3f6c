"""Airflow: audit what is new or changed in the catalogue, every Monday at 03:00 UTC.

The Flex Template of ``templates/dataflow`` does the work. Parameters can be changed for one
run in Airflow's "Trigger DAG" form; one that doesn't fit is refused there.
"""

from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.models.param import Param
from airflow.providers.google.cloud.operators.dataflow import (
    DataflowStartFlexTemplateOperator,
)

OBJECT = r"^gs://[^/]+/.+$"

with DAG(
    dag_id="artifactnet_weekly_audit",
    description="Find machine-generated music in what is new in the catalogue",
    schedule="0 3 * * 1",
    start_date=datetime(2026, 1, 5, tzinfo=UTC),
    catchup=False,
    # Two audits never write to one output: one run of this DAG at a time, one job name a day
    # (Dataflow refuses a second job of the same name), and a lease in the output beside that.
    max_active_runs=1,
    # A job that was killed holds the lease for an hour after its last shard; retries last longer.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=30)},
    params={
        "project": Param("PROJECT", type="string", minLength=6),
        "region": Param("europe-west4", type="string", pattern=r"^[a-z]+-[a-z]+\d+$"),
        "template": Param("gs://BUCKET/templates/artifactnet-cpu.json", pattern=OBJECT),
        "catalogue": Param("gs://BUCKET/catalogue/manifest.parquet", pattern=OBJECT),
        "output": Param("gs://BUCKET/audit", pattern=OBJECT),
        "segments": Param("7", type="string", pattern=r"^(all|[1-9]\d{0,5})$"),
        "image": Param("REGION-docker.pkg.dev/PROJECT/artifactnet/audit:cpu", type="string"),
        "machine_type": Param("n2-standard-8", type="string", pattern=r"^[a-z0-9-]+$"),
        "service_account": Param(
            "artifactnet@PROJECT.iam.gserviceaccount.com", type="string", pattern="^.+@.+$"
        ),
        "temp": Param("gs://BUCKET/temp", pattern=OBJECT),
        "staging": Param("gs://BUCKET/staging", pattern=OBJECT),
        "fail_on_errors": Param("0.05", type="string", pattern=r"^(0(\.\d+)?|1)$"),
        "max_workers": Param(100, type="integer", minimum=1, maximum=4000),
    },
    tags=["artifactnet"],
) as dag:
    DataflowStartFlexTemplateOperator(
        task_id="audit",
        project_id="{{ params.project }}",
        location="{{ params.region }}",
        wait_until_finished=True,
        append_job_name=False,  # a random name would let a retry run beside its first try
        body={
            "launchParameter": {
                "jobName": "artifactnet-{{ ds_nodash }}",
                "containerSpecGcsPath": "{{ params.template }}",
                "parameters": {
                    "catalogue": "{{ params.catalogue }}",
                    "output": "{{ params.output }}",
                    "segments": "{{ params.segments }}",
                    "failOnErrors": "{{ params.fail_on_errors }}",
                    "sdk_container_image": "{{ params.image }}",
                },
                "environment": {
                    "machineType": "{{ params.machine_type }}",
                    "maxWorkers": "{{ params.max_workers }}",
                    "serviceAccountEmail": "{{ params.service_account }}",
                    "tempLocation": "{{ params.temp }}",
                    "stagingLocation": "{{ params.staging }}",
                },
            }
        },
    )
