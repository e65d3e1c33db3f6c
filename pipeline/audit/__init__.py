"""An audit, from the request to the record."""
