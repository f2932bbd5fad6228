"""Something to sell."""

from typing import Any

from django.db import migrations

TEAS = [
    {
        "slug": "harbour-breakfast",
        "name": "Harbour Breakfast",
        "price": "8.50",
        "colour": "#8a3b1e",
        "summary": "Assam and Ceylon, brisk enough for the first ferry.",
        "description": "A strong black tea that takes milk well. Malty at first, then bright. Four minutes at a rolling boil. 100 g.",
    },
    {
        "slug": "slow-green",
        "name": "Slow Green",
        "price": "12.00",
        "colour": "#4d7c2f",
        "summary": "Spring sencha, steamed on the day it was picked.",
        "description": "Soft and grassy with a little salt in it. Keep the water at 70 °C and do not hurry. 80 g.",
    },
    {
        "slug": "late-oolong",
        "name": "Late Oolong",
        "price": "18.00",
        "colour": "#a9741d",
        "summary": "Half rolled, half roasted, good for six infusions.",
        "description": "From a single hillside. Starts like toast, ends like apricots. Rinse once, then thirty seconds each. 60 g.",
    },
    {
        "slug": "white-peony",
        "name": "White Peony",
        "price": "21.50",
        "colour": "#a3917c",
        "summary": "Two leaves and a bud, and very little else.",
        "description": "The quiet one. Hay, melon, a long finish. Five minutes at 80 °C. 50 g.",
    },
]


def stock(apps: Any, schema_editor: object) -> None:
    product = apps.get_model("store", "Product")
    for tea in TEAS:
        product.objects.get_or_create(slug=tea["slug"], defaults=tea)


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]
    operations = [migrations.RunPython(stock, migrations.RunPython.noop)]
