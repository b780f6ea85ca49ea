"""What goes with a recipe's code: files beside it, and packages that it needs."""
