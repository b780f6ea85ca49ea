"""What a request would take in other layouts."""
