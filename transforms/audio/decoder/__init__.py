"""Native decoders in processes of their own, where they can be killed."""
