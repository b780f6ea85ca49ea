"""Published model versions and what was measured of them."""
