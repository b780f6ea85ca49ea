"""Each way of running steps, and what they share; ``workbench.node.strategy`` chooses among them."""
