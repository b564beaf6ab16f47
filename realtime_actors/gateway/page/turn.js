/** One turn of somebody in the conversation: its words, what was heard of them, and facts about it. */

/** Of the words that nobody heard at most so many characters are shown. */
const MOST_UNHEARD = 120;

export class Turn {
  #items = new Map(); // the words of each of its items
  #heard = null; // once it is interrupted: the number of characters that were heard, by item
  #facts = new Set();

  constructor(transcript, entry) {
    this.transcript = transcript;
    this.entry = entry;
    this.words = entry.querySelector(".words");
    this.isComplete = false;
    /** Whether any sound of it has come. */
    this.hasSound = false;
    /** Whether it is known how much of it was heard, whatever is played here. */
    this.isSettled = false;
  }

  /** More words of an item. */
  append(text, item = "") {
    if (!this.isComplete) this.#set(item, (this.#items.get(item) ?? "") + text);
    return this;
  }

  /** These are all the words of an item. */
  whole(text, item = "") {
    this.#set(item, text);
    return this;
  }

  /** All its words are there; `text` are they, or else those so far. */
  complete(text, item = "") {
    if (text !== undefined) this.#set(item, text);
    if (!this.isComplete && this.#items.size > 0) {
      this.isComplete = true;
      this.transcript.announce(`${this.entry.querySelector(".who").textContent}: ${this.#parts()[0]}`);
    }
    this.transcript.follow();
    return this;
  }

  fact(text, { title = "", className = "" } = {}) {
    if (this.#facts.has(text)) return;
    const facts = this.entry.querySelector(".facts");
    const fact = Object.assign(document.createElement("span"), { textContent: text, title, className });
    facts.append(this.#facts.size > 0 ? " · " : "", fact);
    this.#facts.add(text);
    this.transcript.follow();
  }

  /** A fact of why it is not all there. */
  broken(why) {
    this.fact(why, { className: "broken" });
  }

  /** It was broken off. It may be told more than once, also when it is not known how much of it was heard. */
  interrupted() {
    this.complete();
    if (![...this.#facts].some((fact) => fact.startsWith("interrupted"))) this.broken("interrupted");
  }

  /**
   * Its sound was broken off: of each of `items` (`{item, playedMs, receivedMs}`) so much was heard, of the others nothing.
   * The words are cut as the agent cuts them in its memory: in proportion, and to whole words.
   */
  cut(items) {
    if (this.isSettled || this.#heard) return;
    this.#heard = new Map();
    let heardMs = 0;
    for (const [item, words] of this.#items) {
      const parts = items.filter((each) => each.item === item);
      const [played, received] = ["playedMs", "receivedMs"].map((key) => parts.reduce((sum, each) => sum + each[key], 0));
      heardMs += played;
      const share = received > 0 ? played / received : 0;
      this.#heard.set(item, wordsUpTo(words, Math.round(words.length * share)));
    }
    this.#render();
    this.broken(heardMs > 0 ? `interrupted at ${(heardMs / 1000).toFixed(1)} s` : "interrupted before it was heard");
    this.interrupted();
  }

  /**
   * So much of its sound was heard, whatever was played here: `count` is how many characters of words, without blanks.
   * Returns how many of them are those of later turns.
   */
  heardUpTo(count) {
    this.#heard = new Map();
    for (const [item, words] of this.#items) {
      let end = 0;
      while (end < words.length && (count > 0 || /\s/.test(words[end]))) count -= /\S/.test(words[end++]) ? 1 : 0;
      this.#heard.set(item, end);
    }
    this.#render();
    this.complete();
    return count;
  }

  speaking(isSpeaking) {
    this.entry.classList.toggle("speaking", isSpeaking);
  }

  #set(item, text) {
    this.words.classList.remove("pending");
    this.#items.set(item, text);
    this.#render();
    this.transcript.follow();
  }

  /** What was heard, or may still be, and what never will be. */
  #parts() {
    const all = [...this.#items];
    if (!this.#heard) return [all.map(([, words]) => words).join(" "), ""];
    const heard = all.map(([item, words]) => words.slice(0, this.#heard.get(item) ?? 0)).filter(Boolean);
    const unheard = all.map(([item, words]) => words.slice(this.#heard.get(item) ?? 0)).filter(Boolean);
    return [heard.join(" "), unheard.join(" ")];
  }

  #render() {
    const [heard, unheard] = this.#parts();
    this.words.textContent = heard;
    if (!unheard.trim()) return;
    const rest = document.createElement("del");
    rest.title = "Not heard";
    rest.textContent = unheard.length > MOST_UNHEARD ? `${unheard.slice(0, wordsUpTo(unheard, MOST_UNHEARD))} …` : unheard;
    this.words.append(rest);
  }
}

/** How many of the first `end` characters are whole words. From U+2E80 on a character is a word: no blanks there. */
function wordsUpTo(text, end) {
  const isJoined = (at) => /\S/.test(text[at]) && text[at] < "\u2e80";
  while (end > 0 && end < text.length && isJoined(end - 1) && isJoined(end)) end--;
  return /[\udc00-\udfff]/.test(text[end]) ? end - 1 : end; // half of a pair
}
