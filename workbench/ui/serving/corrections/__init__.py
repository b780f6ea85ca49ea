"""The drawings that visitors gave: reviewed, and sent into a retraining."""
