"""The runtime as applications see it."""
