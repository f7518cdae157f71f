"""Fault injection: what a policy does when its backends, its clock and its disk let it down."""
