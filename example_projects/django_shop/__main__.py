"""Run the shop on this machine.

python -m example_projects.django_shop [--port 8000]    # the shop itself
python -m example_projects.django_shop drainer          # sends its mail
"""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Run one of the shop's programs until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m example_projects.django_shop")
    parser.add_argument("program", nargs="?", choices=["shop", "drainer"], default="shop")
    parser.add_argument("--port", type=int, default=8000, help="of the shop")
    options = parser.parse_args()

    # Set, not defaulted: the variable of another project in the same terminal must not win.
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_projects.django_shop.settings"
    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    django.setup()
    call_command("migrate", verbosity=0)
    if options.program == "drainer":
        call_command("poststack_outbox")
        return
    if password := os.environ.get("SHOP_ADMIN_PASSWORD"):
        from django.contrib.auth.models import User

        admin, _ = User.objects.get_or_create(username="admin", defaults={"is_staff": True, "is_superuser": True})
        admin.set_password(password)
        admin.save()
    call_command("runserver", f"127.0.0.1:{options.port}", use_reloader=False)


if __name__ == "__main__":
    main()
