"""Questions that projects ask about their e-mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import models

from poststack_django.privacy import stored_address

if TYPE_CHECKING:
    from poststack_django.models import SentEmail

    EmailQuerySetBase = models.QuerySet[SentEmail]
    EmailManagerBase = models.Manager[SentEmail]
else:  # Generic in the type stubs only.
    EmailQuerySetBase = models.QuerySet
    EmailManagerBase = models.Manager

__all__ = ["SentEmailManager", "SentEmailQuerySet", "model_label", "object_key"]

LONGEST_LABEL: Final = 100
LONGEST_KEY: Final = 255


def model_label(instance: models.Model) -> str:
    """Return the name under which an object's model is stored: `app.model`, that of the concrete model for proxies."""
    concrete = instance._meta.concrete_model or type(instance)
    return concrete._meta.label_lower[:LONGEST_LABEL]


def object_key(instance: models.Model) -> str:
    """Return the key under which an object is stored, whatever the type of its primary key."""
    return str(instance.pk)[:LONGEST_KEY]


class SentEmailQuerySet(EmailQuerySetBase):
    """What `SentEmail.objects` can be asked beside what every queryset can."""

    def related_to(self, *instances: models.Model) -> SentEmailQuerySet:
        """Return the e-mails about any of these objects, the ones given as `related_to` when they were sent."""
        from poststack_django.models import EmailRelation

        wanted = models.Q(pk__in=())
        for instance in instances:
            wanted |= models.Q(model=model_label(instance), object_id=object_key(instance))
        # A subquery: joined, an e-mail about two of the objects would come twice.
        return self.filter(pk__in=EmailRelation.objects.filter(wanted).values("sent_email"))

    def sent_to(self, address: str) -> SentEmailQuerySet:
        """Return the e-mails to an address, visible or hidden, however it is capitalised and however it is stored."""
        from poststack_django.models import EmailRecipient

        return self.filter(pk__in=EmailRecipient.objects.filter(address=stored_address(address)).values("sent_email"))


class SentEmailManager(EmailManagerBase):
    """Asks the questions of the queryset."""

    def get_queryset(self) -> SentEmailQuerySet:
        """Return all e-mails."""
        return SentEmailQuerySet(self.model, using=self._db)

    def related_to(self, *instances: models.Model) -> SentEmailQuerySet:
        """Return the e-mails about any of these objects."""
        return self.get_queryset().related_to(*instances)

    def sent_to(self, address: str) -> SentEmailQuerySet:
        """Return the e-mails to an address."""
        return self.get_queryset().sent_to(address)
