"""A canvas to draw on, and what is answered to a drawing."""
