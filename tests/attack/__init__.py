"""Recipes, models and clients that mean harm: each did something once, or would."""
