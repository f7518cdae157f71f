"""Route vision requests between a generative backbone and specialists, by confidence and by policy."""
