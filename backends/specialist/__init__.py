"""Specialists: models trained for one thing each. Importing one reads no weights and no heavy library."""
