import pyarrow as pa

from artifactnet.transforms.elements.row_key import place_key, row_key, table_keys


def test_a_track_is_known_by_its_id_and_a_bad_line_by_its_place() -> None:
    assert row_key("t", None, None, None) == "t"
    assert row_key("t", "decode", "m.jsonl", 3) == "t"
    assert row_key("t", "manifest", "m.jsonl", 3) == place_key("m.jsonl", 3, "t") == "m.jsonl\n3"


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


def test_a_file_of_a_folder_is_known_by_its_name_in_every_run() -> None:
    keys = {
        place_key(f"out/manifest-20261126T0512{n}-487a01.jsonl", n, "bad\udcff.wav")
        for n in (37, 38)
    }
    assert keys == {"listing\nbad\\udcff.wav"}
    assert row_key("bad\\udcff.wav", "manifest", "manifest-20261126T051239-487a01.jsonl", 4) in keys
    assert place_key("out/manifest-20261126T051237-487a01.jsonl", 4, "").endswith("\n4")
