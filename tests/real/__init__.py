"""The main job against real llama.cpp servers."""
