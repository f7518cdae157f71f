"""Soak: a long day of mixed traffic and faults in a few minutes, and whether anything is lost, stuck or leaked."""
