"""Clusters of processes on this computer."""
