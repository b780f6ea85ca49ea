"""Code that runs on a machine of a cluster on AWS."""
