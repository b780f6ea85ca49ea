"""The service on HTTP: bodies, tokens, errors on the wire, counters, the worker that takes requests."""
