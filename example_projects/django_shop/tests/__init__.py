"""Run them with `python -m django test example_projects.django_shop`."""
