"""From the bytes of a track to windows of sound, and back through a lossy codec."""
