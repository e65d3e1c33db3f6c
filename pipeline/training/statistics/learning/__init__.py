"""What learns: trees, networks, what knows phases found anew and voices, and how they are mixed."""
