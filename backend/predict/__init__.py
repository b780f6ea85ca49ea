"""``POST /predict``: find the drawing in a request and answer it."""
