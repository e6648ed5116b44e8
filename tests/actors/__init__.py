"""The actor kernel by itself."""
