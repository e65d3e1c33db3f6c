"""Rows are shuffled; audio and spectrograms never are."""

from pathlib import Path

import apache_beam as beam
from apache_beam.portability import common_urns
from apache_beam.runners.portability.fn_api_runner import translations

from artifactnet.pipeline.audit.audit_options import AuditOptions
from artifactnet.pipeline.audit.graph import build_audit
from artifactnet.transforms.detector.detector import DetectorOptions
from artifactnet.transforms.elements.output_schema import RunFacts
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.write_shards import OutputOptions

SHUFFLES = {
    common_urns.primitives.GROUP_BY_KEY.urn,
    common_urns.composites.RESHUFFLE.urn,
    common_urns.combine_components.COMBINE_PER_KEY_MERGE_ACCUMULATORS.urn,
}
FUSED = (
    *(
        "Decode",
        "Reencode",
        "Stft",
        "Residual",
        "Hpss",
        "Features",
        "Classify",
        "Verdict",
        "WriteShards",
    ),
)


def audit_proto(tmp_path: Path, tiny_weights: Path):
    output = OutputOptions(str(tmp_path), ManifestLayout(), RunFacts("run", "id", "c", 0.5))
    options = AuditOptions(
        ("m.jsonl",),
        output,
        f"{tmp_path}/counts.json",
        f"{tmp_path}/sums",
        detector=DetectorOptions(tiny_weights),
    )
    pipeline = beam.Pipeline("FnApiRunner")
    build_audit(pipeline, options, print)
    return pipeline.to_runner_api()


def leaves(proto) -> dict:
    return {
        transform.unique_name: transform
        for transform in proto.components.transforms.values()
        if not transform.subtransforms
    }


def test_no_shuffle_between_decode_and_commit(tmp_path: Path, tiny_weights: Path) -> None:
    found = leaves(audit_proto(tmp_path, tiny_weights))
    producer = {out: name for name, t in found.items() for out in t.outputs.values()}
    (commit,) = [name for name in found if name.startswith("AuditRows/WriteShards")]
    (decode,) = [name for name in found if name.startswith("AuditRows/Decode")]
    on_the_way, queue = set(), [commit]
    while queue:
        name = queue.pop()
        on_the_way.add(name)
        if name != decode:
            queue += [producer[source] for source in found[name].inputs.values()]
    assert decode in on_the_way
    assert len(on_the_way) >= len(FUSED)
    for name in on_the_way:
        assert found[name].spec.urn not in SHUFFLES, name
        assert name.startswith("AuditRows/"), f"{name} does not belong between the two"


def test_rows_are_shuffled_before_they_are_decoded(tmp_path: Path, tiny_weights: Path) -> None:
    found = leaves(audit_proto(tmp_path, tiny_weights))
    shuffles = [name for name, t in found.items() if t.spec.urn in SHUFFLES]
    assert any(name.startswith("SkipUnchanged/") for name in shuffles)
    assert any(name.startswith("AssignShards/") for name in shuffles)


def test_a_runner_fuses_decode_to_commit_into_one_stage(tmp_path: Path, tiny_weights: Path) -> None:
    _, stages = translations.create_and_optimize_stages(
        audit_proto(tmp_path, tiny_weights),
        phases=translations.standard_optimize_phases(),
        known_runner_urns=frozenset(SHUFFLES),
    )
    wanted = {f"AuditRows/{name}" for name in FUSED}
    scoring = [
        stage
        for stage in stages
        if any(t.unique_name.startswith("AuditRows/") for t in stage.transforms)
    ]
    assert len(scoring) == 1
    names = {"/".join(t.unique_name.split("/")[:2]) for t in scoring[0].transforms}
    assert wanted <= names
    assert not {t.spec.urn for t in scoring[0].transforms} & SHUFFLES
