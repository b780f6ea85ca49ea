"""What is asked for: the recipe, the layout, and what would come of them."""
