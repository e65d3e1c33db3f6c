"""From the bytes of a manifest to rows: formats, columns, audio inside Parquet."""
