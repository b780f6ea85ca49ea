"""What each layer of the serving version makes of a drawing."""
