"""Any number of e-mails through one call: what is promised, against an API that does whatever a script says."""
