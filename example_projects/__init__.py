"""Small real applications that send through PostStack, one for each framework."""
