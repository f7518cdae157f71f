"""visionrouter."""
