"""RQ jobs, run by real workers on a real server, all in processes of their own."""
