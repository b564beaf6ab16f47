/** The conversation on the page: turns of both sides, tool calls, notes. */

import { ToolCall } from "./tool-call.js";
import { Turn } from "./turn.js";

const MOST_ENTRIES = 300;

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
    new ResizeObserver(() => this.follow()).observe(scroller); // a phone's keyboard comes up, or it is turned
  }

  /** The user's turn with this id. One that was spoken is there before its words are. */
  user(id) {
    return this.#turn(id, "user", "You", "…");
  }

  agent(id, name) {
    return this.#turn(id, "agent", name, "…");
  }

  /** The turn of somebody else in a room. */
  person(id, name) {
    return this.#turn(id, "person", name, "…");
  }

  /** The turn that has this id has another one from now on. */
  rename(id, other) {
    this.#turns.set(other, this.#turns.get(id));
    this.#turns.delete(id);
  }

  /** There was no such turn. */
  remove(id) {
    this.#turns.get(id)?.entry.remove();
    this.#turns.delete(id);
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

  /** A call; `who` makes it, where that is not clear. */
  tool(use, who) {
    const call = new ToolCall(this.#add("tool"), use, who);
    this.#calls.set(use.id, call);
    this.follow();
    return call;
  }

  /** A call waits to be allowed; `answer` as in ToolCall. */
  toolApproval(use, who, seconds, answer) {
    const call = this.#calls.get(use.id) ?? this.tool(use, who);
    call.ask(seconds, answer);
    call.onsettled = (outcome) => this.announce(`${use.name}: ${outcome}`);
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

  /** A line that nobody says; `change` of what is returned gives it other words. */
  note(words, kind = "") {
    const entry = this.#add("note");
    const change = (words, kind = "") => {
      entry.className = `note ${kind}`;
      entry.textContent = words;
      this.announce(words);
      this.follow();
    };
    change(words, kind);
    return { change };
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

  /** What is shown stays, and nothing that comes belongs to it. */
  startAnew() {
    this.close();
    this.#turns.clear();
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
