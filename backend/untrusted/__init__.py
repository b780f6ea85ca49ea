"""Models, pictures and URLs from anybody: fetched, sandboxed and served for ``POST /serve``."""
