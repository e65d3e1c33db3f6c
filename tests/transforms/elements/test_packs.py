"""What goes into packs comes out of them."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from artifactnet.transforms.elements.packs import Pack, packed, unpacked
from artifactnet.transforms.elements.records import ManifestRow


@given(
    st.lists(st.tuples(st.integers(0, 5), st.text() | st.integers() | st.none())),
    st.integers(1, 200),
)
def test_every_element_comes_out_once_under_its_key(pairs: list, held_bytes: int) -> None:
    wanted, found = defaultdict(list), defaultdict(list)
    for key, element in pairs:
        wanted[key].append(element)
    for key, pack in packed(pairs, held_bytes):
        found[key] += unpacked([pack])
    assert found == wanted


def test_what_waits_is_bounded() -> None:
    pairs = ((number % 3, "x" * 100) for number in range(10_000))
    first = next(packed(pairs, held_bytes=3000))
    assert first[1].size <= 10
    assert next(pairs)[0] < 3  # it was not read to its end


def test_rows_of_a_catalogue_take_tens_of_bytes() -> None:
    rows = [
        ManifestRow(f"t{n:07d}", f"/data/artist-{n % 97}/track-{n:07d}.flac", "/data/all.jsonl", n)
        for n in range(64)
    ]
    ((_, pack),) = packed(("shard", row) for row in rows)
    assert pack.size == 64
    assert len(pack.data) < 40 * len(rows)
    assert list(unpacked([pack, Pack(*pack)])) == rows * 2
