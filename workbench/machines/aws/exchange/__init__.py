"""Objects in the bucket that the controller and the machines exchange."""
