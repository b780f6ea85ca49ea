"""Back ends as their clients see them: deploy, roll back, review corrections."""
