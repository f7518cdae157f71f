"""The `visionrouter` command."""
