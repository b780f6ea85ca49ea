"""What runs on a machine: the training loop and the export. TensorFlow is imported here and nowhere else."""
