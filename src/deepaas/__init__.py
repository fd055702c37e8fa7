"""Serve and train any Python model over REST."""
