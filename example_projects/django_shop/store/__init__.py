"""Products, orders, and the mail about them."""
