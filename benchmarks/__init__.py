"""Proving ground and benchmarks of visionrouter: rendered scenes, weather, and the measurements that stand on them."""
