/** A tool call in the transcript: what is called, whether it may run, how far it has come, what came of it. */

/** A question that is over within so many ms of its time is one that nobody has answered. */
const NEARLY_OVER = 1000;

export class ToolCall {
  #timer;
  #until = 0;

  /** `entry` is its (empty) list item, `who` makes it, where that is not clear. */
  constructor(entry, { name, input, raw_input }, who) {
    Object.assign(this, { entry, name });
    if (who) entry.append(element("span", "who", who));
    this.input = input && Object.keys(input).length > 0 ? input : raw_input && raw_input !== "{}" ? { arguments: raw_input } : {};
    this.words = `${name}(${args(this.input)})`;
    this.call = element("code", "call", this.words);
    this.result = element("span", "result", "running …");
    /** Called with what has become of the question, in words. */
    this.onsettled = () => {};
    entry.append(this.call, this.result);
  }

  /** Ask whether it may run; `answer(approved, reason)` gives false when that could not be sent. */
  ask(seconds, answer) {
    this.#until = performance.now() + seconds * 1000;
    this.seconds = seconds;
    const title = element("p", "question", `Allow ${this.name} to run?`);
    title.id = `approval-${crypto.getRandomValues(new Uint32Array(1))}`;
    const card = element("form", "approval");
    card.setAttribute("role", "group");
    card.setAttribute("aria-labelledby", title.id);
    const approve = Object.assign(element("button", "primary", "Approve"), { type: "button" });
    const decline = Object.assign(element("button", "plain", "Decline"), { type: "submit" });
    for (const button of [approve, decline]) button.setAttribute("aria-describedby", title.id);
    const reason = Object.assign(element("input", "reason"), {
      type: "text", maxLength: 300, autocomplete: "off", placeholder: "Why not? (optional)",
    });
    reason.setAttribute("aria-label", "Why not? The agent is told if you decline");
    const left = element("span", "left");
    const actions = element("div", "actions");
    const declining = element("div", "declining");
    declining.append(reason, decline);
    actions.append(approve, declining);
    card.append(title, table(this.input), actions, left);
    approve.onclick = () => answer(true, "") && this.#answered("Approved", "approved");
    card.onsubmit = (submitted) => {
      submitted.preventDefault();
      const why = reason.value.trim();
      if (answer(false, why)) this.#answered(why ? `Declined: ${why}` : "Declined", "declined");
    };
    this.call.hidden = this.result.hidden = true;
    this.entry.append(card);
    this.entry.classList.add("asking");
    this.card = card;
    const count = () => {
      const rest = Math.max(0, Math.ceil((this.#until - performance.now()) / 1000));
      left.textContent = rest > 0 ? `${rest} s left` : "time is up";
      left.classList.toggle("short", rest <= 10);
    };
    count();
    this.#timer = setInterval(count, 1000);
  }

  progress(text, fraction) {
    if (this.card) this.#settle("Approved by somebody else", "approved");
    if (!this.bar) {
      this.bar = Object.assign(document.createElement("progress"), { max: 1 });
      this.bar.setAttribute("aria-label", `Progress of ${this.name}`);
      this.entry.append(this.bar);
    }
    if (fraction === null) this.bar.removeAttribute("value");
    else this.bar.value = fraction;
    this.result.textContent = text || "running …";
  }

  /** It is over; `words` came of it. */
  finish(words) {
    const isLate = performance.now() > this.#until - NEARLY_OVER;
    if (this.card && isLate) this.#settle(`Not answered within ${this.seconds} s, so it did not run`, "expired");
    else if (this.card) this.#settle();
    this.bar?.remove();
    this.result.textContent = words;
    // What the model is told of an answer is what the answer says.
    this.result.hidden = ["declined", "expired"].includes(this.outcome?.dataset.outcome);
  }

  #answered(words, outcome) {
    this.#settle(words, outcome);
    this.result.hidden = outcome === "declined";
  }

  /** Nothing is to be answered any more; `words` say what has become of the question. */
  #settle(words, outcome) {
    clearInterval(this.#timer);
    // Whoever was about to answer goes on where the result stands, and is not thrown to the page's beginning.
    if (this.card.contains(document.activeElement)) {
      this.entry.tabIndex = -1;
      this.entry.focus({ preventScroll: true });
    }
    this.card.remove();
    this.card = null;
    this.entry.classList.remove("asking");
    this.call.hidden = this.result.hidden = false;
    if (!words) return;
    this.outcome = element("span", "outcome", words);
    this.outcome.dataset.outcome = outcome;
    this.call.after(this.outcome);
    this.onsettled(words);
  }
}

function element(tag, className, textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}

function args(input) {
  return Object.entries(input)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(", ");
}

/** The arguments, one below the other, for who is to decide about them. */
function table(input) {
  const list = element("dl", "arguments");
  for (const [name, value] of Object.entries(input)) {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    list.append(element("dt", "", name), element("dd", "", text));
  }
  list.hidden = list.childElementCount === 0;
  return list;
}
