import pyarrow as pa

from artifactnet.transforms.elements.row_key import place_key, row_key, table_keys


def test_a_track_is_known_by_its_id_and_a_bad_line_by_its_place() -> None:
    assert row_key("t", None, None, None) == "t"
    assert row_key("t", "decode", "m.jsonl", 3) == "t"
    assert row_key("t", "manifest", "m.jsonl", 3) == place_key("m.jsonl", 3) == "m.jsonl\n3"


def test_keys_of_tables() -> None:
    assert table_keys(pa.table({"track_id": ["a", "b"], "stage": ["x", "y"]}), "tracks") == [
        "a",
        "b",
    ]
    errors = pa.table(
        {
            "track_id": ["a", None],
            "stage": ["decode", "manifest"],
            "manifest": ["m", "m"],
            "line": [1, 2],
        }
    )
    assert table_keys(errors, "errors") == ["a", "m\n2"]
