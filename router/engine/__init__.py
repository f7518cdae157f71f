"""Runs a route: workers, deadline, breaker, attempts. Asyncio and plain threads share one code path."""
