"""Does a comparison keep its promise? A/A experiments, looked at every day."""
