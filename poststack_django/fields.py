"""Text that identifies something: equal only if every character is, on every database.

MySQL and MariaDB compare by the collation of a column. The one that databases usually have takes `em_a` for `em_A`, and
`é` for `e`: an e-mail would get the row of another one, and an event be taken for a repetition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import lookups

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

    CharFieldBase = models.CharField[Any, Any]
    IExactBase = lookups.IExact[Any]
else:  # Generic in the type stubs only.
    CharFieldBase = models.CharField
    IExactBase = lookups.IExact

__all__ = ["ExactCharField"]


class ExactCharField(CharFieldBase):
    """A `CharField` for ids, keys and addresses."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Return how the column is declared."""
        parameters: Any = super().db_parameters(connection)
        if connection.vendor == "mysql":
            # Implies the character set, whatever that of the table is.
            parameters["collation"] = "utf8mb4_bin"
        return parameters


class _WithoutCase:
    """Lookups that ignore capitals, which MySQL and MariaDB leave to the collation: such as the admin's search."""

    def as_mysql(self: Any, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"LOWER({left}) LIKE LOWER({right})", (*left_params, *right_params)


@ExactCharField.register_lookup
class _IContains(_WithoutCase, lookups.IContains):
    pass


@ExactCharField.register_lookup
class _IExact(_WithoutCase, IExactBase):
    pass
