"""Online composition: batching, the application, the gRPC face, the server."""
