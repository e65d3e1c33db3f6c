"""What flows between the stages, and how a stage treats one element of it."""
