"""What keeps untrusted code to itself: namespaces, mounts, limits, a filter of system calls."""
