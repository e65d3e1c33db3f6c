#!/usr/bin/env bash
# Build the image, publish the Flex Template, launch an audit.
#   PROJECT=p REGION=europe-west4 BUCKET=b deploy.sh build|template|launch CATALOGUE OUTPUT
# FLAVOUR=cuda builds for GPUs and launches with one NVIDIA L4 a worker.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${PROJECT:?the Google Cloud project}" "${REGION:?e.g. europe-west4}" "${BUCKET:?a bucket, without gs://}"
flavour=${FLAVOUR:-cpu}
image=${IMAGE:-$REGION-docker.pkg.dev/$PROJECT/artifactnet/audit:$flavour}
spec=gs://$BUCKET/templates/artifactnet-$flavour.json

case ${1:-} in
  build)
    docker build -f templates/dataflow/Dockerfile --build-arg "FLAVOUR=$flavour" -t "$image" .
    docker push "$image"
    ;;
  template)
    gcloud dataflow flex-template build "$spec" --project "$PROJECT" --image "$image" \
      --sdk-language PYTHON --metadata-file templates/dataflow/metadata.json
    ;;
  launch)
    catalogue=${2:?catalogue} output=${3:?output}
    parameters="catalogue=$catalogue,output=$output,sdk_container_image=$image"
    machine=(--worker-machine-type n2-standard-8)
    if [ "$flavour" = cuda ]; then
      parameters="$parameters,accelerator=type:nvidia-l4;count:1;install-nvidia-driver"
      machine=(--worker-machine-type g2-standard-8)
    fi
    gcloud dataflow flex-template run "artifactnet-$(date +%Y%m%d-%H%M%S)" \
      --project "$PROJECT" --region "$REGION" --template-file-gcs-location "$spec" \
      --parameters "$parameters" "${machine[@]}" --staging-location "gs://$BUCKET/staging" \
      --temp-location "gs://$BUCKET/temp"
    ;;
  *) echo "use deploy.sh build|template|launch CATALOGUE OUTPUT" >&2; exit 2 ;;
esac
