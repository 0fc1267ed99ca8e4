// Makes the pages live: events as they happen, parts that change, keys, and the look.
// Every page is complete without it. Nothing from a vault is ever read as markup: rows are filled
// by `textContent`, and parts that change come from the page itself.
"use strict";

const byId = (id) => document.getElementById(id);

// The time zone is the reader's own; the server writes UTC.
function localTime(element) {
  const at = new Date(element.dateTime);
  if (!element.dateTime || Number.isNaN(at.getTime())) return;
  const pad = (number) => String(number).padStart(2, "0");
  const clock = [at.getHours(), at.getMinutes()].map(pad).join(":");
  const day = [at.getFullYear(), pad(at.getMonth() + 1), pad(at.getDate())].join("-");
  element.textContent = "day" in element.dataset ? `${day} ${clock}` : `${clock}:${pad(at.getSeconds())}`;
}
const localTimes = (part) => part.querySelectorAll("time[datetime]").forEach(localTime);
localTimes(document);

// The look: light or dark, remembered in a cookie so that the server sends it right at once.

const look = byId("look");
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.look ?? (prefersDark.matches ? "dark" : "light")) === "dark";
function nameLook() {
  look.textContent = isDark() ? "Light" : "Dark";
  look.setAttribute("aria-label", `Show the pages ${isDark() ? "light" : "dark"}`);
}
if (look) {
  look.hidden = false;
  nameLook();
  prefersDark.addEventListener("change", nameLook);
  look.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.look = chosen;
    document.cookie = `crucible_look=${chosen}; Path=/; Max-Age=31536000; SameSite=Strict`;
    nameLook();
  });
}

// Keys

const help = byId("help");
const helpOpen = byId("help-open");
if (helpOpen) {
  helpOpen.hidden = false;
  helpOpen.addEventListener("click", () => help.showModal());
}

let goes = false;
document.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey) return;
  const target = key.target;
  if (target.matches("input, select, textarea")) {
    if (key.key === "Escape") target.blur();
    return;
  }
  if (help?.open) return;
  const went = goes;
  goes = false;
  if (went) {
    const place = document.querySelector(`.places a[data-key="${CSS.escape(key.key)}"]`);
    if (place) place.click();
    return;
  }
  switch (key.key) {
    case "/": byId("q")?.focus(); byId("q")?.select(); break;
    case "?": help?.showModal(); break;
    case "g": goes = true; break;
    case "j": step(1); break;
    case "k": step(-1); break;
    case "p": byId("pause")?.click(); break;
    default: return;
  }
  key.preventDefault();
});

// Moves the focus through the first link or switch of each item of all lists.
function step(by) {
  const items = [...document.querySelectorAll("main [data-list] > li")]
    .filter((item) => item.checkVisibility())
    .map((item) => item.querySelector("a, summary, button"))
    .filter(Boolean);
  if (items.length === 0) return;
  const here = items.findIndex((item) => item.closest("li") === document.activeElement?.closest("[data-list] > li"));
  const next = here < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(Math.max(here + by, 0), items.length - 1);
  items[next].focus();
  items[next].scrollIntoView({ block: "nearest" });
}

// Events

const list = byId("event-list");
const live = byId("live");
const mould = byId("event-mould");
const filter = byId("event-filter");
const pause = byId("pause");
let held = [];
let isPaused = false;

const stream = list?.dataset.stream ?? (document.querySelector("[data-live]:not(#condition)") ? "/api/v1/events?named=false" : null);
if (stream && "EventSource" in window) {
  const source = new EventSource(stream);
  say("connecting");
  source.onopen = () => say(null);
  source.onerror = () => say("connection lost, trying again");
  source.addEventListener("missed", () => say("live, some events were left out"));
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (list) take(event);
    refreshSoon(event);
  };
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
}

// `null` means that all is well.
function say(words) {
  if (!live) return;
  live.classList.toggle("on", words === null);
  live.textContent = words ?? (isPaused ? `paused, ${held.length} waiting` : "live");
}

function take(event) {
  if (isPaused) {
    held.push(event);
    if (held.length > Number(list.dataset.rows)) held.shift();
    say(null);
    return;
  }
  add(event);
}

function add(event) {
  const correlation = list.dataset.correlation;
  if (correlation && event.metadata.correlation_id !== correlation) return;
  const row = mould.content.firstElementChild.cloneNode(true);
  fill(row, event);
  row.classList.add("new");
  row.hidden = !isWanted(row);
  if (correlation) list.append(row); else list.prepend(row);
  while (list.children.length > Number(list.dataset.rows)) {
    const oldest = correlation ? list.firstElementChild : list.lastElementChild;
    if (oldest.contains(document.activeElement)) break;
    oldest.remove();
  }
  none();
}

function fill(row, event) {
  const meta = event.metadata;
  const slot = (name) => row.querySelector(`[data-slot="${name}"]`);
  const put = (name, words) => { slot(name).textContent = words; };
  row.dataset.category = event.event_type.category;
  row.dataset.depth = Math.min(meta.depth ?? 0, 6);
  slot("time").dateTime = event.timestamp;
  slot("time").title = event.timestamp;
  localTime(slot("time"));
  put("name", dotted(event.event_type));
  put("subject", subject(event));
  put("source", event.source.id);
  put("correlation", meta.correlation_id);
  slot("correlation").href = `/events?correlation=${encodeURIComponent(meta.correlation_id)}`;
  put("id", event.id);
  put("cause", meta.causation_id ?? "a first cause");
  put("priority", event.priority ?? "normal");
  put("payload", payload(event.payload));
}

// The dotted name, as in filesystem.file_created or custom.anything.
const dotted = ({ category, type, name }) => `${category}.${type ?? name}`;

// As the server says it: the values of the type, in order.
function subject(event) {
  const words = Object.entries(event.event_type)
    .filter(([name]) => !["category", "type", "name"].includes(name))
    .map(([name, value]) => Array.isArray(value) ? value.join(", ") : name === "duration_ms" ? `${value} ms`
      : typeof value === "number" ? `${name.replaceAll("_", " ")} ${value}` : String(value))
    .filter((word) => word !== "");
  if (words.length === 0 && event.payload.kind === "text") return event.payload.data.slice(0, 200);
  return words.join(" · ");
}

function payload({ kind, data }) {
  const text = kind === "json" ? JSON.stringify(data, null, 2) : kind === "binary" ? "bytes" : data;
  return text.length > 4096 ? `${text.slice(0, 4096)}…` : text;
}

function isWanted(row) {
  if (!filter) return true;
  const category = filter.elements.category.value;
  const shown = row.querySelector("summary").textContent.toLowerCase();
  const words = filter.elements.q.value.toLowerCase().split(/\s+/);
  return (!category || row.dataset.category === category) && words.every((word) => shown.includes(word));
}

function none() {
  const notice = byId("no-events");
  if (notice) notice.hidden = [...list.children].some((row) => !row.hidden);
}

if (filter) {
  const apply = () => {
    for (const row of list.children) row.hidden = !isWanted(row);
    none();
    const wanted = new URLSearchParams(new FormData(filter));
    for (const [name, value] of [...wanted]) if (!value) wanted.delete(name);
    history.replaceState(null, "", wanted.size ? `?${wanted}` : location.pathname);
  };
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (submitted) => { submitted.preventDefault(); apply(); });
}

if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) {
      held.forEach(add);
      held = [];
    }
    say(null);
  });
}

// Parts that change: taken anew from the page, soon after something happened and now and then.

const REFRESH_AFTER_MS = 800;
const REFRESH_EVERY_MS = 10_000;
let due = null;

function refreshSoon() {
  due ??= setTimeout(refresh, REFRESH_AFTER_MS);
}

async function refresh() {
  try {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now || old.contains(document.activeElement)) continue;
      localTimes(now);
      if (!old.isEqualNode(now)) old.replaceWith(document.adoptNode(now));
    }
  } catch {
    // The daemon is away: the stream says so, and comes back by itself.
  } finally {
    due = null;
  }
}

if (stream) setInterval(refreshSoon, REFRESH_EVERY_MS);
