#!/usr/bin/env bash
# Create or replace the weekly audit in Cloud Scheduler.
#   PROJECT=p REGION=europe-west4 BUCKET=b schedule.sh
# Dataflow refuses a second job of one name while the first runs, so audits never overlap.
set -euo pipefail
cd "$(dirname "$0")"
: "${PROJECT:?the Google Cloud project}" "${REGION:?e.g. europe-west4}" "${BUCKET:?a bucket, without gs://}"
# The body of a request is bytes: base64 of its JSON.
job=$(sed "s/PROJECT/$PROJECT/g; s/REGION/$REGION/g; s/BUCKET/$BUCKET/g" cloud_scheduler.json |
  python3 -c 'import base64, json, sys
job = json.load(sys.stdin)
body = json.dumps(job["httpTarget"]["body"]).encode()
job["httpTarget"]["body"] = base64.b64encode(body).decode()
json.dump(job, sys.stdout)')
url=https://cloudscheduler.googleapis.com/v1/projects/$PROJECT/locations/$REGION/jobs
send() {
  curl --fail-with-body --silent --show-error -X "$1" "$2" --data "$job" \
    -H "Authorization: Bearer $(gcloud auth print-access-token)" -H "Content-Type: application/json"
}
send PATCH "$url/artifactnet-weekly-audit" || send POST "$url"
