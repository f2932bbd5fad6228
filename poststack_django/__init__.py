"""PostStack integration."""
