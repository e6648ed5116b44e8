"""What is given again, and what several callers share."""
