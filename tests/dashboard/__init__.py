"""Tests of what runs inside the dashboard's Jupyter server."""
