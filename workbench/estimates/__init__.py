"""How long a training takes and what it costs, before it runs."""
