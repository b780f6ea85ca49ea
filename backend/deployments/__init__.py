"""The versions that serve: pushed, checked, activated, tried as a canary, rolled back."""
