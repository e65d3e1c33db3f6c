"""The forensic statistics of a window, and the head that decides by them."""
