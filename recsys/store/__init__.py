"""What serving remembers: versions, vectors, histories and the event stream, in Redis."""
