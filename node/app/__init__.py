"""What each door is told about the house, and what it may ask for."""
