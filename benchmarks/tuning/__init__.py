"""Tuning on the proving ground: rendered scenes as training data, and the table of results on held-out scenes."""
