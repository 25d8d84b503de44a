"""The game: read step.py first."""
