"""The guarantees on real sockets, through the whole runtime."""
