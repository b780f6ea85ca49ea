"""What a recipe gives besides the data, applied to it."""
