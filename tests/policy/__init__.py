"""The pure policies."""
