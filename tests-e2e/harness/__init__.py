"""The product as the tests drive it: its process, its API, and what it wrote to disk."""
