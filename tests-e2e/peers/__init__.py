"""Cameras that are not ours: the footage they show, the servers they run, and their bitstreams taken apart."""
