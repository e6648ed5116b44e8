"""The guarantees, in virtual time, over many schedules."""
