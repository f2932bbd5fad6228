"""`make storm`: workers are killed, the API fails, and each e-mail is sent once."""
