"""What everything stands on: names to functions, files that are whole."""
