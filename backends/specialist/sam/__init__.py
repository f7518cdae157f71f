"""Segment Anything: 1 by its own library, 2 and 3 by transformers."""
