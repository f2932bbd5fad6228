"""The command `poststack send-many`: a file of e-mails, each sent once, whatever ends the program in between."""
