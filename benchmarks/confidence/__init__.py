"""What the gate is worth: signals, accepted risk and coverage, whole and region fallback, on held-out scenes."""
