"""A cheaper detector that learns from a dearer one."""
