"""Measurements: a synthetic book of any size, and the cost of proving a batch on it."""
