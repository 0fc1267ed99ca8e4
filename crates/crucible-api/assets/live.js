// Adds events to the overview as they happen. The page is complete without it.
"use strict";

const ROWS_MAX = 50;
const list = document.getElementById("event-list");

if (list && "EventSource" in window) {
  const live = document.getElementById("live");
  const source = new EventSource(list.dataset.stream);
  source.onopen = () => { live.textContent = "live"; };
  source.onerror = () => { live.textContent = "connection lost, trying again"; };
  source.addEventListener("missed", () => { live.textContent = "live, some events were left out"; });
  source.onmessage = (message) => add(JSON.parse(message.data));
  window.addEventListener("pagehide", () => source.close());
}

function add(event) {
  const time = document.createElement("time");
  time.dateTime = event.timestamp;
  time.textContent = event.timestamp.slice(11, 19);
  const row = document.createElement("li");
  row.className = "new";
  row.append(
    time, " ",
    words("code", dotted(event.event_type)), " ",
    words("span", event.metadata.ordering_key ?? ""), " ",
    words("span", event.source.id, "quiet"),
  );
  list.prepend(row);
  while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
}

// Text only: nothing from a vault is ever read as markup.
function words(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.dir = "auto";
  if (className) element.className = className;
  return element;
}

// The dotted name, as in filesystem.file_created or custom.anything.
function dotted({ category, type, name }) {
  return category + "." + (name ?? type);
}
