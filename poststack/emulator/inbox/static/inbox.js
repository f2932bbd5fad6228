// What a page can do only with a script: hear of changes, know its keys, tell times as they pass. Everything else
// works without it. Nothing here makes markup from text: fresh markup comes from the server alone.
"use strict";

(() => {
  const page = document.body.dataset.page;
  const clockAhead = Date.parse(document.body.dataset.now) - Date.now();
  const reading = page === "message" || page === "received-message";
  const listing = page === "list" || page === "received";
  const announcer = document.getElementById("announcer");
  const connection = document.getElementById("connection");
  document.documentElement.classList.add("scripted");

  // Times

  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  function inWords(moment) {
    const seconds = (Date.now() + clockAhead - moment) / 1000;
    const distance = Math.abs(seconds);
    if (distance < 10) return seconds >= 0 ? "just now" : "in a moment";
    if (distance >= 7 * 86400) {
      return new Date(moment).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
    }
    const [size, unit] = UNITS.find(([length]) => distance >= length);
    const text = `${Math.floor(distance / size)} ${unit}`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const moment = Date.parse(time.dateTime);
      const words = inWords(moment);
      if (time.textContent !== words) time.textContent = words;
      time.title = new Date(moment).toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
    }
  }

  // Fresh markup takes the place of old, node by node, so that focus, scrolling and what is unfolded stay.

  function morph(old, fresh) {
    if (old.nodeType === Node.TEXT_NODE && fresh.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) {
      old.replaceWith(fresh);
      return;
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    morphChildren(old, fresh);
  }

  function morphChildren(old, fresh) {
    const staying = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    for (const child of [...old.children]) if (child.id && !staying.has(child.id)) child.remove();
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let cursor = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? known.get(child.id) : cursor && !cursor.id && cursor.nodeName === child.nodeName && cursor;
      if (!same) {
        old.insertBefore(child, cursor);
        continue;
      }
      if (same === cursor) cursor = cursor.nextSibling;
      else old.insertBefore(same, cursor);
      morph(same, child);
    }
    while (cursor) {
      const next = cursor.nextSibling;
      cursor.remove();
      cursor = next;
    }
  }

  // Live updates

  let revision = Number(document.body.dataset.revision);
  let refreshing = null;
  let again = false;

  async function fetchPage() {
    const started = performance.now();
    const address = new URL(location.href);
    address.searchParams.delete("done");
    address.hash = "";
    const response = await fetch(address, { headers: { Accept: "text/html" }, mode: "same-origin" });
    if (response.status === 404 && reading) announce("The message is not here any more.", true);
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    revision = Number(fresh.body.dataset.revision);
    const before = new Set([...document.querySelectorAll(".message")].map((row) => row.id));
    const listed = document.getElementById("messages") !== null;
    for (const region of document.querySelectorAll("[data-live]")) {
      const replacement = fresh.getElementById(region.id);
      if (replacement) morph(region, document.importNode(replacement, true));
    }
    if (document.title !== fresh.title) document.title = fresh.title;
    tellTimes();
    if (listing) welcome(before, listed);
    // A slow page, such as a search through a lot of mail, is not asked for all the time.
    await new Promise((resolve) => setTimeout(resolve, performance.now() - started));
  }

  function welcome(before, listed) {
    const arrived = [...document.querySelectorAll(".message.unread")].filter((row) => !before.has(row.id));
    const first = document.querySelector(".message");
    if (!first || !arrived.includes(first)) return;
    for (const row of arrived) if (listed) row.classList.add("arrived");
    announcer.textContent = arrived.length === 1 ? "1 new message" : `${arrived.length} new messages`;
  }

  function refresh() {
    if (refreshing) {
      again = true;
      return refreshing;
    }
    refreshing = fetchPage().catch(() => undefined).finally(() => {
      refreshing = null;
      if (again) {
        again = false;
        refresh();
      }
    });
    return refreshing;
  }

  let stream = null;

  function tellConnection(on, words) {
    connection.classList.toggle("on", on);
    connection.querySelector(".label").textContent = words;
  }

  function listen() {
    // A browser opens only a few connections to one server: pages in the background let go of theirs.
    if (document.hidden) {
      stream?.close();
      stream = null;
      tellConnection(false, "Paused");
    } else if (!stream) {
      stream = new EventSource("/inbox/live");
      stream.addEventListener("open", () => tellConnection(true, "Live"));
      stream.addEventListener("error", () => tellConnection(false, "Offline"));
      stream.addEventListener("change", (event) => {
        if (Number(event.data) !== revision) refresh();
      });
    }
  }

  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      stream = null;
      listen();
      refresh();
    }
  });

  // Forms that change something stay on the page

  const rows = () => [...document.querySelectorAll(".message")];
  const currentRow = () => document.activeElement?.closest?.(".message") ?? null;

  async function send(form, button) {
    const fields = new FormData(form);
    if (button?.name) fields.set(button.name, button.value);
    const row = form.closest(".message");
    const neighbour = row && (row.nextElementSibling ?? row.previousElementSibling);
    const focused = row?.contains(document.activeElement);
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), mode: "same-origin" });
    if (!response.ok) {
      const answer = new DOMParser().parseFromString(await response.text(), "text/html");
      announce(answer.querySelector(".problem")?.textContent ?? "That did not work.", true);
    } else {
      const answer = new DOMParser().parseFromString(await response.text(), "text/html");
      announce(answer.querySelector(".notice")?.textContent ?? "", false);
    }
    if (refreshing) await refreshing;
    await refresh();
    // The focus went with the row, unless somebody has moved on to another place meanwhile.
    const lost = focused && !row.isConnected && document.activeElement === document.body;
    if (lost) neighbour?.querySelector(".open")?.focus();
  }

  function announce(text, isProblem) {
    document.querySelector("main > .notice")?.remove();
    announcer.textContent = text;
    if (!isProblem) return;
    const notice = document.createElement("p");
    notice.className = "notice problem";
    notice.textContent = text;
    document.getElementById("main").prepend(notice);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-quiet]")) {
      // The page is about to go; what its own change brings is no news to it.
      stream?.close();
      return;
    }
    event.preventDefault();
    send(form, event.submitter).catch(() => announce("The emulator does not answer.", true));
  });

  // Search as one types

  const box = document.getElementById("q");
  const filter = document.getElementById("show");
  let typing = 0;

  function search() {
    const address = new URL("/inbox/", location.href);
    if (box.value.trim()) address.searchParams.set("q", box.value);
    if (filter.value) address.searchParams.set("show", filter.value);
    const broadcast = new URL(location.href).searchParams.get("broadcast");
    if (broadcast) address.searchParams.set("broadcast", broadcast);
    history.replaceState(null, "", address);
    refresh();
  }

  box?.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, 180);
  });
  filter?.addEventListener("change", search);
  document.getElementById("search")?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    search();
  });

  // Keys

  const help = document.getElementById("help");
  document.getElementById("help-button").addEventListener("click", () => help.showModal());

  function step(by) {
    if (reading) {
      document.getElementById(by > 0 ? "older" : "newer")?.click();
      return;
    }
    const all = rows();
    const at = all.indexOf(currentRow());
    const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
    row?.querySelector(".open").focus();
  }

  function act(action) {
    const scope = reading ? document.querySelector(".message-tools") : currentRow();
    scope?.querySelector(`[data-action="${action}"] button`)?.click();
  }

  function back() {
    const question = document.querySelector("details.confirm[open]");
    if (question) {
      question.open = false;
      question.querySelector("summary").focus();
    } else if (reading) document.getElementById("back").click();
    else if (document.activeElement === box) box.blur();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    u: back,
    Escape: back,
    r: () => act("unread"),
    "#": () => act("delete"),
    Delete: () => act("delete"),
    "/": () => (box ? (box.focus(), box.select()) : location.assign("/inbox/#q")),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help.open) return;
    const writing = event.target.matches("input:not([type=radio]), textarea, select, [contenteditable]");
    if (writing && !(event.key === "Escape" || (event.key === "ArrowDown" && event.target === box))) return;
    const arrow = event.key.startsWith("Arrow");
    // Arrows scroll a page that is read and choose among radio buttons; they walk through the list only.
    if (arrow && (!listing || event.target.matches("input[type=radio]"))) return;
    const action = listing || reading || event.key === "?" || event.key === "/" ? KEYS[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });

  // Small comforts

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = "Copied";
    });
  }

  for (const choice of document.querySelectorAll('input[name="width"]')) {
    if (choice.value === sessionStorage.getItem("width")) choice.checked = true;
    choice.addEventListener("change", () => sessionStorage.setItem("width", choice.value));
  }

  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.confirm[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  for (const current of document.querySelectorAll(".tabs [aria-current], .bar nav [aria-current]")) {
    current.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  if (new URL(location.href).searchParams.has("done")) {
    const address = new URL(location.href);
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }
  if (location.hash === "#q") box?.focus();
  if (location.hash.startsWith("#open-")) {
    // Only now: on its way to a place in the page, the browser takes the focus along.
    addEventListener("load", () => document.getElementById(location.hash.slice(1))?.focus());
  }

  tellTimes();
  setInterval(tellTimes, 20_000);
  listen();
})();
