"""What lies in an audit's output: its files, their latest rows, merged, compared."""
