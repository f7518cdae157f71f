"""From evidence to a verdict: accept, or fall back."""
