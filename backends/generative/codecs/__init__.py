"""Codes: answers drawn as RGB and read back with what the drawing says of its own quality."""
