"""What an attacker writes into every field of an e-mail, hoping that a page shows it as it is."""

from __future__ import annotations

from poststack.emulator.model import Address, Attachment, Email, EmailEvent, Message, Recipient, SpamFinding

__all__ = ["HTML", "SCRIPTS", "hostile_email"]

SCRIPTS = (
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror='window.pwned=1'>",
    "'><svg/onload=window.pwned=1>",
    "</title></textarea></script><script>window.pwned=1</script>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "javascript:window.pwned=1",
    "<a href=javascript:window.pwned=1 autofocus onfocus=window.pwned=1>x</a>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "<!--<script>window.pwned=1//-->",
    "<style>*{display:none}</style><base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "\u202egpj.exe\u2066\u200b",
)

HTML = """
<html><head><title>t</title>
<link rel="preconnect" href="{elsewhere}"><link rel="dns-prefetch" href="{elsewhere}">
<LINK rel=stylesheet href="{elsewhere}/a.css"><link rel="prefetch" href="{elsewhere}/b">
<link rel="icon" href="{elsewhere}/icon.png"><link rel="modulepreload" href="{elsewhere}/m.js">
<meta http-equiv="refresh" content="0;url={elsewhere}/refresh">
<base href="{elsewhere}/">
<style>@import url("{elsewhere}/import.css"); @font-face{{font-family:x;src:url("{elsewhere}/font.woff")}}
p{{font-family:x;background:url("{elsewhere}/background.png")}}</style>
<script src="{elsewhere}/remote.js"></script>
<script>
  document.title = "ran"; document.body.append("RAN");
  try {{ parent.pwned = 1; parent.document.body.append("RAN"); }} catch (error) {{}}
  try {{ top.location = "{elsewhere}/top"; }} catch (error) {{}}
  fetch("{elsewhere}/fetch"); fetch("/inbox/delete-all", {{method: "POST"}});
  new Image().src = "{elsewhere}/image"; navigator.sendBeacon("{elsewhere}/beacon");
</script>
</head>
<body onload="document.body.append('RAN')">
<p id="harmless">Harmless words</p>
<img src="{elsewhere}/pixel.gif" srcset="{elsewhere}/pixel2.gif 2x" onerror="document.body.append('RAN')">
<img src="x" onerror="document.body.append('RAN')">
<svg onload="document.body.append('RAN')"><image href="{elsewhere}/svg.png"/></svg>
<video src="{elsewhere}/video.mp4" poster="{elsewhere}/poster.png" autoplay></video>
<audio src="{elsewhere}/audio.mp3" autoplay></audio>
<iframe src="{elsewhere}/iframe"></iframe><iframe srcdoc="<script>top.pwned=1</script>"></iframe>
<object data="{elsewhere}/object"></object><embed src="{elsewhere}/embed">
<form action="{elsewhere}/form" method="post"><input autofocus onfocus="document.body.append('RAN')">
<button id="submit">Send</button></form>
<form action="/inbox/delete-all" method="post" target="_top"><button id="delete-all">Delete</button></form>
<a id="ping" href="#x" ping="{elsewhere}/ping">ping</a>
<a id="script-link" href="javascript:document.body.append('RAN')">run</a>
<a id="top-link" href="{elsewhere}/top-link" target="_top">leave</a>
<table background="{elsewhere}/table.png"><tr><td style="background-image:url({elsewhere}/cell.png)">x</td></tr></table>
</body></html>
"""


def hostile_email(script: str, number: int = 1) -> Email:
    """Return an e-mail with the script in every field that holds text, those included that the API would refuse."""
    someone = Address(script, script)
    message = Message(
        from_=someone,
        to=(someone,),
        cc=(someone,),
        bcc=(someone,),
        reply_to=(someone,),
        subject=script,
        html=script,
        text=script,
        headers={script: script},
        tags=(script,),
        attachments=(Attachment(script, b"<script>window.pwned=1</script>", script, script),),
        template_id=script,
        suppressed=(script,),
        spam=(SpamFinding(script, 1.0, script),),
        payload={script: [script]},
    )
    event = EmailEvent(
        number,
        "clicked",
        1_700_000_000.0,
        recipient=script,
        metadata={script: script, "list": [script, {script: script}]},
        country=script,
        city=script,
        client_name=script,
        os=script,
    )
    return Email(
        number,
        f"em_hostile{number}",
        message,
        1_700_000_000.0,
        sent_at=1_700_000_000.0,
        recipients=[Recipient(script, "delivered")],
        events=[event],
        idempotency_key=f"single: {script}",
    )
