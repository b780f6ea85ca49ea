"""Sweeps on the cluster's page: asked for in the request's form, shown above the jobs."""
