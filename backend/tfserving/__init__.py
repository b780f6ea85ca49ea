"""TensorFlow Serving's protocol, as server and as client, over REST and gRPC."""
