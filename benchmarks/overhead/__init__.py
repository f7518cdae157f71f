"""What the library itself costs."""
