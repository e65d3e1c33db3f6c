"""What flows between the stages, and how a stage handles one element of it."""
