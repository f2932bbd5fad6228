// Fetch the list of letters again while one of them is still under way.
"use strict";

const box = document.getElementById("letters");
const EVERY = 1500;
let rounds = 200;

async function refresh() {
  if (!box.querySelector("[data-moving]") || rounds === 0) return;
  rounds -= 1;
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch(box.dataset.source);
      const html = answer.ok && !answer.redirected ? await answer.text() : box.innerHTML;
      if (html.trim() !== box.innerHTML.trim()) box.innerHTML = html;
    } catch {
      // The server is away; the next round finds out whether it is back.
    }
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, EVERY / 2);
