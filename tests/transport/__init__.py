"""Connections and exchanges, on real sockets."""
