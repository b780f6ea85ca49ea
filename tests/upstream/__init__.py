"""Tests that fail when a private part that we touch changes."""
