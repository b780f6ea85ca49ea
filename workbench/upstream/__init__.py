"""Every touch of a dependency's private parts, fenced."""
