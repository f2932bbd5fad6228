"""What type checkers say of the groups beside emails, templates, webhooks and suppressions. Checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Literal

from typing_extensions import assert_type

from poststack import AsyncPostStack, PostStack
from poststack.types import (
    AddedContacts,
    ApiKey,
    ApiKeyList,
    ApiKeyPermission,
    Broadcast,
    BroadcastAnswer,
    BroadcastPerformance,
    BroadcastPerformanceList,
    BroadcastStatus,
    BroadcastVariants,
    BroadcastVariantStats,
    Contact,
    ContactAnswer,
    ContactPropertyAnswer,
    ContactPropertyList,
    ContactSubscriptionAnswer,
    ContactSubscriptions,
    CreateNotificationChannel,
    DkimRotationAnswer,
    DkimRotationState,
    DmarcReport,
    DmarcReports,
    DmarcSources,
    DmarcStats,
    DnsRecord,
    DomainAnswer,
    DomainList,
    DomainStatus,
    DomainVerification,
    DraftedReply,
    EmailValidation,
    EmailValidationList,
    Engagement,
    ImportedContacts,
    InboundAttachments,
    InboundEmail,
    InboundEmailAnswer,
    InboxPlacement,
    Mailbox,
    MailboxAlias,
    MailboxAliasAnswer,
    MailboxAnswer,
    MailboxFilters,
    MailboxShareAnswer,
    MailboxShares,
    MailboxSignature,
    NewApiKey,
    NonResponders,
    NotificationChannelAnswer,
    NotificationChannelList,
    NotificationDeliveries,
    NotificationDelivery,
    NotificationTest,
    OptionUsage,
    Page,
    PutWorkflowGraph,
    ResentBroadcast,
    SegmentAnswer,
    SegmentBroadcasts,
    SegmentGrowth,
    SegmentList,
    SegmentRules,
    SegmentSize,
    SentEmail,
    SignedUp,
    SignupForm,
    SignupFormAnswer,
    SubmitSignupForm,
    SubscriptionTopicAnswer,
    SubscriptionTopicDetail,
    SubscriptionTopicList,
    Success,
    TopicSubscriber,
    UnreadSummary,
    ValidationResult,
    WebhookDelivery,
    WorkflowAnswer,
    WorkflowEventAnswer,
    WorkflowGraphAnswer,
    WorkflowList,
    WorkflowRunAnswer,
    WorkflowValidation,
)


def domains(client: PostStack) -> None:
    created = client.domains.create({"name": "example.com", "region": "eu-west-1", "tls_mode": "enforced"})
    assert_type(created, DomainAnswer)
    assert_type(created["domain"]["dnsRecords"], list[DnsRecord])
    assert_type(created["domain"]["status"], DomainStatus)
    assert_type(client.domains.list(), DomainList)
    assert_type(client.domains.get(7), DomainAnswer)
    assert_type(client.domains.verify(7), DomainVerification)
    assert_type(client.domains.update(7, {"tracking_domain": None, "stream_preference": "any"}), DomainAnswer)
    assert_type(client.domains.delete(7), Success)
    assert_type(client.domains.assign_ip(7, ip_address_id=8), Success)
    assert_type(client.domains.unassign_ip(7), Success)
    assert_type(client.domains.get_dmarc_reports(7, {"per_page": 50}), DmarcReports)
    assert_type(client.domains.iterate_dmarc_reports(7), Iterator[DmarcReport])
    assert_type(client.domains.get_dmarc_stats(7, 30), DmarcStats)
    assert_type(client.domains.get_dmarc_sources(7, days=30), DmarcSources)
    assert_type(client.domains.start_dkim_rotation(7), DkimRotationAnswer)
    rotation = client.domains.activate_dkim_rotation(7, force=True)["rotation"]
    assert_type(rotation["state"], DkimRotationState)
    assert_type(client.domains.cancel_dkim_rotation(7), DkimRotationAnswer)
    assert_type(client.domains.get_inbox_placement(7), InboxPlacement)


def contacts(client: PostStack) -> None:
    got = client.contacts.create({"email": "a@example.com", "properties": {"size": 42}})
    assert_type(got, ContactAnswer)
    assert_type(got["contact"]["engagementSegment"], Engagement)
    assert_type(client.contacts.list({"engagement_segment": "at_risk", "unsubscribed": "true"}), Page[Contact])
    assert_type(client.contacts.iterate({"segment_id": "seg_1"}), Iterator[Contact])
    assert_type(client.contacts.get("con_1"), ContactAnswer)
    assert_type(client.contacts.get_by_email("a@example.com"), ContactAnswer)
    assert_type(client.contacts.update("con_1", {"unsubscribed": True}), ContactAnswer)
    assert_type(client.contacts.delete("con_1"), Success)
    assert_type(client.contacts.unsubscribe("con_1"), ContactAnswer)
    assert_type(client.contacts.import_({"contacts": [{"email": "a@example.com"}]}), ImportedContacts)
    assert_type(client.contacts.export_csv(segment_id="seg_1"), str)
    assert_type(client.contact_properties.list(), ContactPropertyList)
    assert_type(
        client.contact_properties.create({"name": "size", "label": "Size", "type": "select", "options": ["S"]}),
        ContactPropertyAnswer,
    )
    assert_type(client.contact_properties.update(7, {"label": "Size"}), ContactPropertyAnswer)
    assert_type(client.contact_properties.delete(7), Success)
    assert_type(client.contact_properties.option_usage(7), OptionUsage)
    assert_type(client.contact_properties.option_usage(7)["usage"], dict[str, int])


def segments(client: PostStack, rules: SegmentRules) -> None:
    condition = {"field": "email", "comparator": "ends_with", "value": "@example.com"}
    assert_type(condition, dict[str, str])
    made = client.segments.create(
        {
            "name": "Readers",
            "rules": {"operator": "and", "conditions": [{"field": "emailsOpened", "comparator": "is_set"}]},
        }
    )
    assert_type(made, SegmentAnswer)
    assert_type(made["segment"]["rules"], SegmentRules | None)
    assert_type(client.segments.list(), SegmentList)
    assert_type(client.segments.get("seg_1"), SegmentAnswer)
    assert_type(client.segments.update("seg_1", {"rules": None}), SegmentAnswer)
    assert_type(client.segments.delete("seg_1"), Success)
    assert_type(client.segments.add_contacts("seg_1", {"contact_ids": ["con_1"]}), AddedContacts)
    assert_type(client.segments.remove_contact("seg_1", "con_1"), Success)
    assert_type(client.segments.preview_rules({"rules": rules}), SegmentSize)
    assert_type(client.segments.members("seg_1", {"page": 2}), Page[Contact])
    assert_type(client.segments.iterate_members("seg_1"), Iterator[Contact])
    assert_type(client.segments.growth("seg_1", 90), SegmentGrowth)
    assert_type(client.segments.broadcasts("seg_1"), SegmentBroadcasts)
    assert_type(client.segments.broadcasts("seg_1")["broadcasts"][0]["status"], BroadcastStatus)


def broadcasts(client: PostStack) -> None:
    made = client.broadcasts.create({"segment_id": "seg_1", "from": "a@example.com", "subject": "News", "text": "…"})
    assert_type(made, BroadcastAnswer)
    assert_type(client.broadcasts.list({"status": "sent"}), Page[Broadcast])
    assert_type(client.broadcasts.iterate(), Iterator[Broadcast])
    assert_type(client.broadcasts.get("br_1"), BroadcastAnswer)
    assert_type(client.broadcasts.update("br_1", {"topic_id": None, "from": "b@example.com"}), BroadcastAnswer)
    assert_type(client.broadcasts.send("br_1"), Success)
    assert_type(client.broadcasts.cancel("br_1"), Success)
    assert_type(client.broadcasts.resend("br_1", {"target": "non_openers"}), ResentBroadcast)
    assert_type(client.broadcasts.send_test("br_1", {"email": "a@example.com"}), Success)
    assert_type(client.broadcasts.get_variants("br_1"), BroadcastVariants)
    assert_type(client.broadcasts.get_variant_stats("br_1"), BroadcastVariantStats)
    assert_type(client.broadcasts.list_performance({"metric": "delivered"}), BroadcastPerformanceList)
    assert_type(client.broadcasts.performance("br_1"), BroadcastPerformance)
    assert_type(client.broadcasts.performance("br_1")["broadcast"]["open_rate"], float)
    assert_type(client.broadcasts.non_openers("br_1", limit=10), NonResponders)
    assert_type(client.broadcasts.non_clickers("br_1"), NonResponders)
    assert_type(client.broadcasts.end_ab_test("br_1"), Success)


def api_keys(client: PostStack) -> None:
    made = client.api_keys.create({"name": "worker", "permission": "sending_access", "mode": "test"})
    assert_type(made, NewApiKey)
    assert_type(made["key"], str)
    assert_type(client.api_keys.list(), ApiKeyList)
    assert_type(client.api_keys.get(7), ApiKey)
    assert_type(client.api_keys.get(7)["permission"], ApiKeyPermission)
    assert_type(client.api_keys.revoke(7), Success)
    assert_type(client.api_keys.rotate(7), NewApiKey)


def mailboxes(client: PostStack) -> None:
    made = client.mailboxes.create({"domainId": "dom_1", "localPart": "info", "password": "secret"})
    assert_type(made, MailboxAnswer)
    assert_type(client.mailboxes.list({"domain_id": 7}), Page[Mailbox])
    assert_type(client.mailboxes.iterate(), Iterator[Mailbox])
    assert_type(client.mailboxes.get("mb_1"), MailboxAnswer)
    assert_type(client.mailboxes.update("mb_1", {"forwardTo": None, "forwardMode": "wrapped"}), MailboxAnswer)
    assert_type(client.mailboxes.delete("mb_1"), Success)
    assert_type(client.mailboxes.change_password("mb_1", "secret"), Success)
    alias = client.mailboxes.create_alias({"domainId": 7, "localPart": "hi", "destinationMailboxId": "mb_1"})
    assert_type(alias, MailboxAliasAnswer)
    assert_type(client.mailboxes.list_aliases(), Page[MailboxAlias])
    assert_type(client.mailboxes.iterate_aliases(), Iterator[MailboxAlias])
    assert_type(client.mailboxes.delete_alias(alias["alias"]["id"]), Success)
    assert_type(client.mailboxes.list_filters("mb_1"), MailboxFilters)
    filters = client.mailboxes.set_filters(
        "mb_1", [{"name": "n", "field": "from", "operator": "is", "value": "x@example.com", "action": "discard"}]
    )
    assert_type(filters, MailboxFilters)
    assert_type(client.mailboxes.get_signature("mb_1"), MailboxSignature)
    assert_type(client.mailboxes.set_signature("mb_1", {"signatureText": None}), MailboxSignature)
    assert_type(client.mailboxes.unread_summary(), UnreadSummary)
    assert_type(client.mailboxes.list_shares("mb_1"), MailboxShares)
    assert_type(client.mailboxes.grant_share("mb_1", "mb_2", "write"), MailboxShareAnswer)
    assert_type(client.mailboxes.revoke_share("mb_1", "mb_2"), Success)


def inbound_emails(client: PostStack) -> None:
    assert_type(client.inbound_emails.list({"domain": "example.com"}), Page[InboundEmail])
    assert_type(client.inbound_emails.iterate(), Iterator[InboundEmail])
    assert_type(client.inbound_emails.get(7), InboundEmailAnswer)
    assert_type(client.inbound_emails.get(7)["inboundEmail"]["spamVerdict"], Literal["spam", "clean"] | None)
    assert_type(client.inbound_emails.list_attachments(7), InboundAttachments)
    assert_type(client.inbound_emails.download_attachment(7, 8), bytes)
    assert_type(client.inbound_emails.draft_reply(7, {"tone": "formal"}), DraftedReply)
    assert_type(client.inbound_emails.reply(7, {"from": "a@example.com", "text": "…"}), SentEmail)
    assert_type(client.inbound_emails.forward(7, {"from": "a@example.com", "to": ["b@example.com"]}), SentEmail)


def topics_and_workflows(client: PostStack, graph: PutWorkflowGraph) -> None:
    assert_type(client.subscription_topics.list(), SubscriptionTopicList)
    assert_type(client.subscription_topics.create({"name": "News"}), SubscriptionTopicAnswer)
    assert_type(client.subscription_topics.delete("top_1"), Success)
    assert_type(client.subscription_topics.get_contact_subscriptions("con_1"), ContactSubscriptions)
    assert_type(client.subscription_topics.subscribe("con_1", "top_1"), ContactSubscriptionAnswer)
    assert_type(client.subscription_topics.unsubscribe("con_1", topic_id="top_1"), ContactSubscriptionAnswer)
    assert_type(client.subscription_topics.get("top_1"), SubscriptionTopicDetail)
    assert_type(client.subscription_topics.update("top_1", {"description": None}), SubscriptionTopicAnswer)
    assert_type(client.subscription_topics.list_subscribers("top_1", {"subscribed": "false"}), Page[TopicSubscriber])
    assert_type(client.subscription_topics.iterate_subscribers("top_1"), Iterator[TopicSubscriber])
    assert_type(client.workflows.list(), WorkflowList)
    assert_type(client.workflows.create({"name": "w", "trigger_type": "manual"}), WorkflowAnswer)
    assert_type(client.workflows.get("wf_1"), WorkflowAnswer)
    assert_type(client.workflows.update("wf_1", {"trigger_config": None}), WorkflowAnswer)
    assert_type(client.workflows.delete("wf_1"), Success)
    assert_type(client.workflows.get_graph("wf_1"), WorkflowGraphAnswer)
    assert_type(client.workflows.put_graph("wf_1", graph), WorkflowGraphAnswer)
    stored = client.workflows.get_graph("wf_1")["graph"]
    client.workflows.put_graph("wf_1", {"nodes": stored["nodes"], "edges": []})
    assert_type(client.workflows.validate_graph("wf_1"), WorkflowValidation)
    assert_type(client.workflows.activate("wf_1"), WorkflowAnswer)
    assert_type(client.workflows.pause("wf_1"), WorkflowAnswer)
    assert_type(client.workflows.trigger("wf_1", {"contact_id": "con_1"}), WorkflowRunAnswer)
    assert_type(client.workflows.post_event({"event": "order.placed", "email": "a@example.com"}), WorkflowEventAnswer)


def forms_validations_and_channels(
    client: PostStack, form: SubmitSignupForm, channel: CreateNotificationChannel
) -> None:
    assert_type(client.signup_forms.list(), Page[SignupForm])
    assert_type(client.signup_forms.iterate(), Iterator[SignupForm])
    made = client.signup_forms.create(
        {"name": "f", "fields": [{"name": "email", "type": "email", "label": "E-mail", "required": True}]}
    )
    assert_type(made, SignupFormAnswer)
    assert_type(client.signup_forms.get("sf_1"), SignupFormAnswer)
    assert_type(client.signup_forms.update("sf_1", {"segment_id": None, "active": False}), SignupFormAnswer)
    assert_type(client.signup_forms.delete("sf_1"), Success)
    assert_type(client.signup_forms.submit("sf_1", form), SignedUp)
    assert_type(client.signup_forms.submit("sf_1", {"email": "a@example.com", "size": 42}), SignedUp)
    assert_type(client.email_validations.validate("a@example.com"), EmailValidation)
    assert_type(client.email_validations.validate("a@example.com")["result"], ValidationResult)
    assert_type(client.email_validations.validate_batch(["a@example.com"]), EmailValidationList)
    assert_type(client.notification_channels.list(), NotificationChannelList)
    assert_type(client.notification_channels.create(channel), NotificationChannelAnswer)
    client.notification_channels.create(
        {"type": "slack", "name": "c", "events": ["email.bounced"], "config": {"webhookUrl": "https://example.com"}}
    )
    client.notification_channels.create(
        {"type": "telegram", "name": "c", "events": ["*"], "config": {"botToken": "t", "chatId": "1"}}
    )
    assert_type(client.notification_channels.get("nc_1"), NotificationChannelAnswer)
    assert_type(client.notification_channels.update("nc_1", {"domainId": None}), NotificationChannelAnswer)
    assert_type(client.notification_channels.delete("nc_1"), Success)
    assert_type(client.notification_channels.list_deliveries("nc_1"), NotificationDeliveries)
    assert_type(client.notification_channels.iterate_deliveries("nc_1"), Iterator[NotificationDelivery])
    assert_type(client.notification_channels.test("nc_1"), NotificationTest)
    assert_type(client.notification_channels.replay_delivery("nc_1", 8), Success)
    assert_type(client.webhooks.iterate_deliveries(7), Iterator[WebhookDelivery])


async def asynchronous(client: AsyncPostStack) -> None:
    assert_type(await client.domains.get(7), DomainAnswer)
    assert_type(client.domains.iterate_dmarc_reports(7), AsyncIterator[DmarcReport])
    assert_type(await client.contacts.export_csv(), str)
    assert_type(client.contacts.iterate(), AsyncIterator[Contact])
    assert_type(await client.contact_properties.list(), ContactPropertyList)
    assert_type(await client.segments.members("seg_1"), Page[Contact])
    assert_type(await client.broadcasts.send("br_1"), Success)
    assert_type(await client.api_keys.rotate(7), NewApiKey)
    assert_type(await client.mailboxes.unread_summary(), UnreadSummary)
    assert_type(await client.inbound_emails.download_attachment(7, 8), bytes)
    assert_type(client.subscription_topics.iterate_subscribers("top_1"), AsyncIterator[TopicSubscriber])
    assert_type(await client.workflows.trigger("wf_1", {"contact_id": "con_1"}), WorkflowRunAnswer)
    assert_type(await client.signup_forms.submit("sf_1", {"email": "a@example.com"}), SignedUp)
    assert_type(await client.email_validations.validate("a@example.com"), EmailValidation)
    assert_type(await client.notification_channels.test("nc_1"), NotificationTest)
