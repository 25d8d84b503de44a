"""What is made of a finished run, or of data before one."""
