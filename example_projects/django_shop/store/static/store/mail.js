// Fetch the table of e-mails again while one of them is still under way.
"use strict";

const box = document.getElementById("mail");
const MOVING = ["pending", "waiting", "queued", "sending", "deferred"].map((status) => `[data-status="${status}"]`).join();
let waited = 0;

async function refresh() {
  if (!box.querySelector(MOVING) || waited > 120) return;
  waited += 1;
  try {
    const answer = await fetch(box.dataset.source, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const html = await answer.text();
    if (html.trim() !== box.innerHTML.trim()) box.innerHTML = html;
  } catch {
    // The server is away; the next round finds out whether it is back.
  }
  setTimeout(refresh, 1500);
}

setTimeout(refresh, 1000);
