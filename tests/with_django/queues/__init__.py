"""Where Django and task queues meet: a project in processes of its own, with real brokers and workers, to be killed."""
