"""Short runs beside jobs: the check of a recipe, the preview of a model in training."""
