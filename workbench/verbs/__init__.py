"""All that one can do with jobs, clusters, models, data, back ends and the application."""
