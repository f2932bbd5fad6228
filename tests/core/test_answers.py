"""What the API says that it answers is returned as it came (poststack-api §4)."""

from __future__ import annotations

import operator

import pytest

from poststack import PostStack
from tests.every_call import CALLS
from tests.scripted import ScriptedTransport, response

# For each method the keys of its answer; those in brackets may be missing.
ANSWERS = {
    "domains": "create=domain list=domains get=domain verify=(queued)domain update=domain delete=success "
    "assign_ip=success unassign_ip=success get_dmarc_reports=reports,pagination get_dmarc_stats=totals,daily "
    "get_dmarc_sources=sources start_dkim_rotation=rotation activate_dkim_rotation=rotation "
    "cancel_dkim_rotation=rotation "
    "get_inbox_placement=(windowDays)totals,(senderSignals)(recipientSignals)providers",
    "contacts": "create=contact list=data,meta get=contact get_by_email=contact update=contact delete=success "
    "unsubscribe=contact import_=imported,skipped,errors",
    "contact_properties": "list=properties create=property update=property delete=success option_usage=usage",
    "segments": "create=segment list=segments get=segment update=segment delete=success add_contacts=added "
    "remove_contact=success preview_rules=count members=data,meta growth=(available)daily broadcasts=broadcasts",
    "broadcasts": "create=broadcast list=data,meta get=broadcast update=broadcast send=success cancel=success "
    "resend=broadcast,(segment)(recipientCount) send_test=success get_variants=variants "
    "get_variant_stats=variants,(winnerVariantId) list_performance=(metric)(since)broadcasts "
    "performance=broadcast,(variants) non_openers=(broadcast)(count)contacts "
    "non_clickers=(broadcast)(count)contacts end_ab_test=success",
    "api_keys": "create=id,key,(name)(keyPrefix)(permission)(mode)(domainId)(createdAt) list=keys "
    "get=id,name,permission,(keyPrefix)(mode)(domainId)(createdAt) revoke=success rotate=id,key,(name)",
    "mailboxes": "create=mailbox list=data,meta get=mailbox update=mailbox delete=success change_password=success "
    "create_alias=alias list_aliases=data,meta delete_alias=success list_filters=rules set_filters=rules "
    "get_signature=signatureHtml,signatureText set_signature=signatureHtml,signatureText unread_summary=items "
    "list_shares=shares grant_share=share revoke_share=success",
    "inbound_emails": "list=data,meta get=inboundEmail list_attachments=attachments "
    "draft_reply=suggested_from,suggested_html,suggested_text,(inbound)(threading) reply=id forward=id",
    "subscription_topics": "list=topics create=topic delete=success get_contact_subscriptions=subscriptions "
    "subscribe=subscription unsubscribe=subscription get=topic,(subscriberCount)(unsubscribedCount) update=topic "
    "list_subscribers=data,meta",
    "workflows": "list=data create=workflow get=workflow update=workflow delete=success get_graph=graph "
    "put_graph=graph validate_graph=valid,(errors) activate=workflow pause=workflow trigger=run "
    "post_event=(event)matched",
    "signup_forms": "list=data,meta create=signupForm get=signupForm update=signupForm delete=success "
    "submit=success,(message)(redirect_url)",
    "email_validations": "validate=email,result,(checks)(risk) validate_batch=results",
    "notification_channels": "list=channels create=channel get=channel update=channel delete=success "
    "list_deliveries=deliveries,meta test=success,(statusCode)(responseBody) replay_delivery=success",
}


@pytest.mark.parametrize("group", ANSWERS)
def test_what_the_api_promises_is_returned_as_it_came(group: str) -> None:
    promised = dict(one.split("=") for one in ANSWERS[group].split(" "))
    transport = ScriptedTransport(response(200, {}))
    client = PostStack("sk_test_x", transport=transport)
    called: set[str] = set()

    for call in CALLS:
        name = call.method.partition(".")[2]
        if not call.method.startswith(f"{group}.") or name not in promised:
            continue
        keys = promised[name].replace("(", ",(").replace(")", "),").split(",")
        least = {key: None for key in keys if key and not key.startswith("(")}
        # A new field never breaks a program.
        for answer in (least, {key.strip("()"): None for key in keys if key} | {"fieldOfTomorrow": [1]}):
            transport.steps[:] = [response(201, answer)]
            assert operator.attrgetter(call.method)(client)(*call.arguments, **call.options) == answer
        called.add(name)

    assert called == promised.keys()
