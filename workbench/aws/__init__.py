"""Machines on EC2: the same promises as on this computer, kept by AWS."""
