"""A question to a model, and what it answers."""
