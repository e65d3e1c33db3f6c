"""Files and objects: what they are, how they are read in ranges, how they are written whole."""
