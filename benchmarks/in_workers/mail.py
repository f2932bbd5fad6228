"""An ordinary e-mail, of about 20 kB as JSON: what a shop writes when something was ordered."""

from __future__ import annotations

from typing import Any

_ROW = (
    '<tr><td style="padding:8px 12px;border-bottom:1px solid #e5e7eb;font-family:Arial,sans-serif">Garden chair</td>'
    '<td style="padding:8px 12px;border-bottom:1px solid #e5e7eb;text-align:right">2 × €49.90</td></tr>\n'
)


def mail(number: int) -> dict[str, Any]:
    """Return it, with a number in it, so that no two are alike."""
    return {
        "from": "Meadow & Sons <shop@meadow.example>",
        "to": [f"customer{number}@example.com"],
        "subject": f"Your order #{number}",
        "html": f"<html><body><h1>Thank you for order #{number}</h1><table>{_ROW * 80}</table></body></html>",
        "text": f"Thank you for order #{number}.\n" + "Garden chair, 2 x EUR 49.90\n" * 80,
        "tags": ["receipt"],
        "metadata": {"order": str(number)},
    }
