"""The test room itself."""
