"""Tests of the vocabulary: messages, tools, and Python types as JSON."""
