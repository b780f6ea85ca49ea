"""What the operating system is asked for: files, locks, waiting, processes, sandboxes."""
