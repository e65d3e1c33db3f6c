"""Small decoders of our own, which make the fake half of a pair."""
