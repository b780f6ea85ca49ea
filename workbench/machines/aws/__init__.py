"""Clusters of EC2 instances."""
