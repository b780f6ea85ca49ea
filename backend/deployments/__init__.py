"""Which version of each model serves: pushed, checked, activated, compared, rolled back."""
