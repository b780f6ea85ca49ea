"""What travels with a version besides its forms: examples of its training, the film of its learning, a form for browsers."""
