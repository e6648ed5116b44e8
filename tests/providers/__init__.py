"""Providers in this process: custom, simulated, timed."""
