"""Depth and normals from Marigold and what was tuned from it."""
