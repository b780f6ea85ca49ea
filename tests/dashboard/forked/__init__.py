"""Tests of kernels that are forks."""
