"""What writes to contacts by itself: broadcasts and workflows."""
