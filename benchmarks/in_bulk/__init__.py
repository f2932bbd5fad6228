"""Many e-mails through one MailBridge."""
