"""The few messages of TensorFlow Serving's gRPC API that are spoken here, compiled by ``make protos`` from the ``.proto``s.

``tensorflow-serving-api`` has them all, but imports TensorFlow. Field names and numbers are upstream's; a test compares
them with the classes that TensorFlow generated.
"""

from google.protobuf import descriptor_pool, wrappers_pb2

POOL = descriptor_pool.DescriptorPool()
"""Where the messages are registered: not the default pool, since TensorFlow's have the same names and may be in the same
process."""
POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
