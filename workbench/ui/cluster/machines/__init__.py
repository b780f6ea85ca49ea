"""The machines: those that train, standing clusters, the application on AWS."""
