"""Widgets that pages are made of; each gets the functions that it calls."""
