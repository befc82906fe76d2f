"""Faults, scenarios, replay, metrics and the report."""
