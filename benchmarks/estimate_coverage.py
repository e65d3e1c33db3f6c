"""Does the interval of ``artifactnet estimate`` hold the truth?

    python benchmarks/estimate_coverage.py [--repetitions 100] [--tracks 2000] [--sample 300]

Catalogues are made of out-of-fold scores beside the shipped weights, of tracks whose scores the
estimate doesn't know: half of the sources are known music, the other half the catalogue, drawn anew
each time. So the rates of the catalogue are those of other sources, as they are in life.
"""

import argparse
import hashlib

import numpy as np

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.config import SHORT_SEGMENTS
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, model_id
from artifactnet.pipeline.evaluation.prevalence import prevalence
from artifactnet.pipeline.evidence.estimate import strata_of
from artifactnet.pipeline.evidence.reference import Reference, load_reference


def halves(reference: Reference, draw: int) -> tuple[Reference, Reference]:
    """Sources parted in two at random."""
    sides = np.array(
        [
            hashlib.sha256(f"{draw} {source}".encode()).digest()[0] % 2 == 0
            for source in reference.tracks["source"].to_pylist()
        ]
    )
    known, other = (reference.tracks.filter(side) for side in (sides, ~sides))
    return Reference(reference.model_id, known), Reference(reference.model_id, other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--tracks", type=int, default=2000)
    parser.add_argument("--sample", type=int, default=300)
    options = parser.parse_args()
    reference = load_reference(None, model_id(SHIPPED_WEIGHTS))
    assert reference is not None
    config = load_detector().network.config
    rng = np.random.default_rng(0)
    held, widths, wrong, done, draw = 0, [], [], 0, 0
    while done < options.repetitions:
        draw += 1
        known, other = halves(reference, draw)
        table = other.tracks
        long = table["segments"].to_numpy() >= SHORT_SEGMENTS
        label = table["label"].to_numpy(zero_copy_only=False)
        commercial = table["commercial"].to_numpy(zero_copy_only=False).astype(bool)
        generated = np.flatnonzero(commercial & long)
        human = np.flatnonzero((label == "real") & long)
        if len(generated) < 20 or len(human) < 100:
            continue
        share = rng.uniform(0.0, 0.5)
        count = round(share * options.tracks)
        catalogue = np.concatenate(
            [rng.choice(generated, count), rng.choice(human, options.tracks - count)]
        )
        drawn = rng.choice(catalogue, options.sample, replace=False)
        called = other.called_ai(config)[drawn]
        try:
            strata = strata_of(table["segments"].to_numpy()[drawn], called, known, config)
        except ValueError:
            continue
        found = prevalence(strata)
        truth = count / options.tracks
        held += found.lower <= truth <= found.upper
        widths.append(found.upper - found.lower)
        wrong.append(abs(found.share - truth))
        done += 1
    print(
        f"{options.repetitions} catalogues of {options.tracks} tracks, {options.sample} sampled: "
        f"the interval holds the truth in {held}; its mean width is {np.mean(widths):.3f}, the "
        f"estimate {np.mean(wrong):.3f} off"
    )


if __name__ == "__main__":
    main()
