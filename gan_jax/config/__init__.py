"""From a config to what runs."""
