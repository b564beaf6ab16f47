/** A tool call in the transcript: what is called, whether it may run, how far it has come, what came of it. */

export class ToolCall {
  #timer;

  /** `entry` is its (empty) list item. */
  constructor(entry, { name, input }) {
    Object.assign(this, { entry, name });
    this.words = `${name}(${args(input)})`;
    const call = element("code", "call", this.words);
    this.result = element("span", "result", "running …");
    entry.append(call, this.result);
  }

  /** Ask whether it may run; `answer` is told true or false, and gives false when that could not be sent. */
  ask(seconds, answer) {
    const card = element("div", "approval");
    const title = element("p", "question", `Allow ${this.name} to run?`);
    title.id = `approval-${crypto.getRandomValues(new Uint32Array(1))}`;
    card.setAttribute("role", "group");
    card.setAttribute("aria-labelledby", title.id);
    const left = element("span", "left");
    const actions = element("div", "actions");
    for (const [words, className, approved] of [["Approve", "primary", true], ["Decline", "plain", false]]) {
      const button = Object.assign(element("button", className, words), { type: "button" });
      button.setAttribute("aria-describedby", title.id);
      button.onclick = () => {
        if (answer(approved)) this.#settle(approved ? "running …" : "declined");
      };
      actions.append(button);
    }
    actions.append(left);
    card.append(title, actions);
    this.result.hidden = true;
    this.entry.append(card);
    this.card = card;
    const until = performance.now() + seconds * 1000;
    const count = () => (left.textContent = `${Math.max(0, Math.ceil((until - performance.now()) / 1000))} s left`);
    count();
    this.#timer = setInterval(count, 1000);
  }

  progress(text, fraction) {
    if (!this.bar) {
      this.bar = Object.assign(document.createElement("progress"), { max: 1 });
      this.bar.setAttribute("aria-label", `Progress of ${this.name}`);
      this.entry.append(this.bar);
    }
    if (fraction === null) this.bar.removeAttribute("value");
    else this.bar.value = fraction;
    this.result.textContent = text || "running …";
  }

  finish(words) {
    this.#settle(words);
    this.bar?.remove();
  }

  /** Nothing is to be answered any more. */
  #settle(words) {
    clearInterval(this.#timer);
    // Whoever was about to answer goes on where the result stands, and is not thrown to the page's beginning.
    if (this.card?.contains(document.activeElement)) {
      this.entry.tabIndex = -1;
      this.entry.focus({ preventScroll: true });
    }
    this.card?.remove();
    this.result.hidden = false;
    this.result.textContent = words;
  }
}

function element(tag, className, textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}

function args(input) {
  return Object.entries(input ?? {})
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(", ");
}
