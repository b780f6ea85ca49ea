"""The side of whoever asks for clusters: instances are made, looked at, told what to do, and ended."""
