"""Depth, normals and intrinsics from Marigold and what was tuned from it."""
