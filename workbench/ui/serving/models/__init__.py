"""The models: their table, the page of one version, two compared."""
