/** The conversation on the page: turns of both sides, tool calls, notes. */

import { ToolCall } from "./tool-call.js";

const MOST_ENTRIES = 300;

/** One turn of the user or of an agent. */
class Turn {
  #facts = new Set();

  constructor(transcript, entry) {
    this.transcript = transcript;
    this.entry = entry;
    this.words = entry.querySelector(".words");
    this.isComplete = false;
  }

  append(text) {
    if (this.isComplete) return this;
    this.#begin();
    this.words.append(text);
    this.transcript.follow();
    return this;
  }

  /** All its words are there; without `text` they are those so far. */
  complete(text) {
    if (text !== undefined) {
      this.#begin();
      this.words.textContent = text;
    }
    if (!this.isComplete && this.words.textContent && !this.words.classList.contains("pending")) {
      this.isComplete = true;
      this.transcript.announce(`${this.entry.querySelector(".who").textContent}: ${this.words.textContent}`);
    }
    this.transcript.follow();
    return this;
  }

  fact(text, title = "") {
    if (this.#facts.has(text)) return;
    const facts = this.entry.querySelector(".facts");
    facts.append(this.#facts.size > 0 ? " · " : "", Object.assign(document.createElement("span"), { textContent: text, title }));
    this.#facts.add(text);
    this.transcript.follow();
  }

  /** `ms` is how much of it was heard; it may be told again without. */
  interrupted(ms) {
    this.complete();
    const isTold = [...this.#facts].some((fact) => fact.startsWith("interrupted"));
    if (!isTold) this.fact(ms ? `interrupted at ${(ms / 1000).toFixed(1)} s` : "interrupted");
  }

  speaking(isSpeaking) {
    this.entry.classList.toggle("speaking", isSpeaking);
  }

  #begin() {
    if (!this.words.classList.contains("pending")) return;
    this.words.classList.remove("pending");
    this.words.textContent = "";
  }
}

export class Transcript {
  #turns = new Map();
  #calls = new Map();
  #isFollowing = true;

  constructor(list, scroller, announcer) {
    Object.assign(this, { list, scroller, announcer });
    // Whoever scrolls up to read is left there; at the end the newest is followed again.
    scroller.addEventListener("scroll", () => {
      this.#isFollowing = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
    });
  }

  /** The user's turn with this id. One that was spoken is there before its words are. */
  user(id) {
    return this.#turn(id, "user", "You", "…");
  }

  agent(id, name) {
    return this.#turn(id, "agent", name, "…");
  }

  find(id) {
    return this.#turns.get(id);
  }

  picture(jpeg) {
    const turn = this.user(`picture-${this.#turns.size}-${performance.now()}`).complete("A picture");
    const image = new Image();
    image.alt = "The picture that you sent";
    image.onload = () => {
      URL.revokeObjectURL(image.src);
      this.follow();
    };
    image.src = URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" }));
    turn.words.after(image);
    return turn;
  }

  tool(use) {
    const call = new ToolCall(this.#add("tool"), use);
    this.#calls.set(use.id, call);
    this.follow();
    return call;
  }

  /** A call waits to be allowed; `answer` as in ToolCall. */
  toolApproval(use, seconds, answer) {
    const call = this.#calls.get(use.id) ?? this.tool(use);
    call.ask(seconds, answer);
    this.announce(`${call.words} waits to be approved or declined.`);
    this.follow();
  }

  toolProgress({ id, text, fraction }) {
    this.#calls.get(id)?.progress(text, fraction);
    this.follow();
  }

  toolResult({ id, name, output }) {
    const words = typeof output === "string" ? output : output.map((block) => block.text ?? `(${block.type})`).join("\n");
    const call = this.#calls.get(id);
    if (call) call.finish(words);
    else this.note(`${name}: ${words}`);
    this.#calls.delete(id);
    this.follow();
  }

  note(words, kind = "") {
    const entry = this.#add(`note ${kind}`);
    entry.textContent = words;
    this.announce(words);
    this.follow();
  }

  /** Nothing more comes of what is unfinished. */
  close() {
    for (const turn of this.#turns.values()) {
      turn.complete();
      if (turn.words.classList.contains("pending")) turn.words.textContent = "(not heard)";
    }
    for (const call of this.#calls.values()) call.finish("no result");
    this.#calls.clear();
  }

  /** Tell those who listen to the page: whole sentences only, not every word as it comes. */
  announce(words) {
    const line = document.createElement("p");
    line.textContent = words;
    this.announcer.append(line);
    while (this.announcer.childElementCount > 10) this.announcer.firstElementChild.remove();
  }

  follow() {
    if (this.#isFollowing) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #turn(id, role, who, pending) {
    let turn = this.#turns.get(id);
    if (!turn) {
      const entry = this.#add(`turn ${role}`);
      for (const [className, textContent] of [["who", who], ["words pending", pending], ["facts", ""]]) {
        entry.append(Object.assign(document.createElement("span"), { className, textContent }));
      }
      turn = new Turn(this, entry);
      this.#turns.set(id, turn);
      if (this.#turns.size > MOST_ENTRIES) this.#turns.delete(this.#turns.keys().next().value);
      this.follow();
    }
    return turn;
  }

  #add(className) {
    const entry = Object.assign(document.createElement("li"), { className });
    this.list.append(entry);
    while (this.list.childElementCount > MOST_ENTRIES) this.list.firstElementChild.remove();
    return entry;
  }
}
