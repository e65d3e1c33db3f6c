"""A detector's file, wherever it lies.

Enters: a path, or an address in ``gs://`` or ``s3://``. Leaves: a path on this machine. An object
is fetched once a machine, under a name that follows from its identity, so that a changed one is
fetched again.
"""

import hashlib
import tempfile
import uuid
from pathlib import Path

from models.safetensors_io import WeightsError
from transforms.audio_errors import AuditError
from transforms.content_identity import object_facts
from transforms.object_store import S3Access, patiently, split_address

MOST_BYTES = 1 << 30


def local_model(address: str, access: S3Access) -> Path:
    """The file at ``address`` on this machine.

    Raises:
      WeightsError: it can't be fetched, or is larger than any detector.
    """
    if "://" not in address:
        return Path(address).absolute()
    scheme, bucket, name = split_address(address)
    if scheme not in ("gs", "s3"):
        raise WeightsError(f"{address}: use a path, gs:// or s3://")
    try:
        store, facts = object_facts(address, access)
    except AuditError as error:
        raise WeightsError(str(error)) from error
    if not 0 < facts.size <= MOST_BYTES:
        raise WeightsError(f"{address}: {facts.size} bytes are no detector")
    key = hashlib.sha256(f"{address} {facts.identity}".encode()).hexdigest()[:24]
    target = Path(tempfile.gettempdir()) / "artifactnet-models" / f"{key}{Path(name).suffix}"
    if not target.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        content = patiently(lambda: store.read(bucket, name, 0, facts.size))
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        partial.write_bytes(content)
        partial.replace(target)
    return target
