"""What all tests share: how many examples a property is tried with."""

from hypothesis import settings

from trio_llm.testing import seeds

# A property that sets no number of its own gets a slice of the usual hundred every day.
settings.register_profile("slice", settings(), max_examples=len(seeds(100, share=3)))
settings.load_profile("slice")
