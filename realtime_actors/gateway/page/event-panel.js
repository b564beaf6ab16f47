/** The folded panel with every event as it went over the wire: filtered, and exported as JSON lines. */

const MOST_KEPT = 5000;
const MOST_SHOWN = 300;

const $ = (id) => document.getElementById(id);

export class EventPanel {
  #kept = [];
  #forgotten = 0;
  #latencies = [];
  #isStale = false;

  constructor(client) {
    client.on("*", (event) => this.#keep("received", event));
    client.on("sent", (event) => this.#keep("sent", event));
    client.on("state", ({ state, code, reason }) => this.#keep("state", { type: state, code, reason }));
    $("events-toggle").onclick = () => this.#show($("events").hidden);
    $("events-close").onclick = () => this.#show(false);
    $("events").addEventListener("keydown", (pressed) => {
      if (pressed.key !== "Escape") return;
      pressed.stopPropagation(); // here it closes the panel, and does not interrupt
      this.#show(false);
    });
    $("events-filter").oninput = $("events-audio").onchange = () => this.#render();
    $("events-clear").onclick = () => {
      this.#kept = [];
      this.#forgotten = 0;
      this.#render();
    };
    $("events-export").onclick = () => this.#export();
    $("wire").value = client.wire;
    $("wire").onchange = () => {
      client.wire = $("wire").value;
      client.connect();
    };
  }

  /** A turn's latency in ms. */
  latency(ms) {
    this.#latencies.push(ms);
    if (this.#latencies.length > 1000) this.#latencies.shift();
    this.#renderSoon();
  }

  /** Audio is kept by its size only. */
  #keep(direction, event) {
    const shown = Object.fromEntries(
      Object.entries(event).map(([key, value]) => [key, value instanceof Uint8Array ? `(${value.length} bytes)` : value]),
    );
    this.#kept.push({ key: String(++rows), time: new Date().toISOString(), direction, event: shown });
    if (this.#kept.length > MOST_KEPT) this.#forgotten += this.#kept.splice(0, MOST_KEPT / 10).length;
    this.#renderSoon();
  }

  #show(isShown) {
    $("events").hidden = !isShown;
    $("events-toggle").setAttribute("aria-expanded", String(isShown));
    this.#render();
    (isShown ? $("events-filter") : $("events-toggle")).focus();
  }

  #matching() {
    const words = $("events-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const withAudio = $("events-audio").checked;
    return this.#kept.filter(({ direction, event }) => {
      if (!withAudio && /audio_(append|delta)$|playout_update$/.test(event.type)) return false;
      const text = words.length > 0 ? `${direction} ${JSON.stringify(event)}`.toLowerCase() : "";
      return words.every((word) => text.includes(word));
    });
  }

  #renderSoon() {
    if (this.#isStale || $("events").hidden) return;
    this.#isStale = true;
    setTimeout(() => this.#render(), 100);
  }

  #render() {
    this.#isStale = false;
    if ($("events").hidden) return;
    const matching = this.#matching();
    const list = $("events-list");
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const opened = new Set([...list.querySelectorAll("details[open]")].map((each) => each.dataset.key));
    list.replaceChildren(...matching.slice(-MOST_SHOWN).map((each) => row(each, opened)));
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    $("events-summary").textContent = `${matching.length} of ${this.#kept.length} events${
      this.#forgotten ? `, ${this.#forgotten} older ones forgotten` : ""
    }${matching.length > MOST_SHOWN ? `; the last ${MOST_SHOWN} are shown` : ""}. ${this.#latencyWords()}`;
  }

  #latencyWords() {
    const all = this.#latencies;
    if (all.length === 0) return "No latency measured yet.";
    const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
    const median = [...all].sort((a, b) => a - b)[all.length >> 1];
    return `Latency: last ${seconds(all.at(-1))}, median ${seconds(median)} of ${all.length}.`;
  }

  #export() {
    const lines = this.#matching().map(({ time, direction, event }) => `${JSON.stringify({ time, direction, event })}\n`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
    link.download = "events.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

let rows = 0;

function row(kept, opened) {
  const { time, direction, event, key } = kept;
  const item = document.createElement("li");
  const details = Object.assign(document.createElement("details"), { className: `${direction} ${event.type}` });
  details.dataset.key = key;
  const summary = document.createElement("summary");
  const [prefix] = event.type.match(/^agent_response_(?=.)|/);
  const arrow = { sent: "→", received: "←", state: "·" }[direction];
  summary.append(
    span("time", span("hours", time.slice(11, 14)), time.slice(14, 23)),
    span("kind", `${arrow} `, span("prefix", prefix), event.type.slice(prefix.length)),
    span("gist", gist(event)),
  );
  details.append(summary);
  const fill = () => {
    if (details.childElementCount > 1) return;
    details.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(event, null, 2) }));
  };
  details.ontoggle = fill;
  if (opened.has(key)) {
    details.open = true;
    fill();
  }
  item.append(details);
  return item;
}

function span(className, ...children) {
  const element = Object.assign(document.createElement("span"), { className });
  element.append(...children);
  return element;
}

/** What one wants to see of an event without opening it. */
function gist({ delta, transcript, text, message, reason, audio, image, metadata, tool_use, tool_result, config }) {
  const call = tool_use && `${tool_use.name} ${tool_use.raw_input ?? ""}`;
  const result = tool_result && `${tool_result.name}: ${JSON.stringify(tool_result.output)}`;
  const rest = metadata?.status ?? (config && JSON.stringify(config));
  return String(delta ?? transcript ?? text ?? message ?? audio ?? image ?? call ?? result ?? rest ?? reason ?? "");
}
