"""Two versions of a model, told apart by their answers to the same drawings."""
