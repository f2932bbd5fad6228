"""Who is written to: contacts, what is known of them, the segments they are in, topics and signup forms."""
