"""What the page knows of who looks at it: the browser's memory, the address, the name."""
