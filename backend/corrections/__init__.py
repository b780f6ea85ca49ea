"""Drawings whose true digit a visitor gave: stored once, reviewed, exported."""
