"""The tutorial notebook as a page."""
