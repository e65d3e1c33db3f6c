"""Find machine-generated music by the traces its neural decoder left."""
