/** A room on the page: who is there, who has the floor, how loud they are, and what all of them say. */

const $ = (id) => document.getElementById(id);

/** Sound below it shows nothing, dBFS. */
const SILENT = -50;
/** Who has spoken, and of whom no words come within so many ms, has said nothing. */
const NO_WORDS = 8000;
const STATUS_WORDS = { away: "connection lost", restarting: "will be back" };
const LEFT_WORDS = {
  gone: "did not come back",
  removed: "was removed",
  failed: "has failed, and left",
  ended: "has ended",
};

/** The room and the name that the page's address asks for (`?room=lobby&as=Ann`); null: none. */
export function roomInAddress() {
  const asked = new URLSearchParams(location.search);
  const [room, name] = [asked.get("room"), asked.get("as")].map((each) => (each ?? "").trim().slice(0, 80));
  return room ? { room, name } : null;
}

/** Ask for the user's name; it is kept in the address, so that whoever loads the page again is the same person. */
export function askForName(room) {
  const dialog = $("name-dialog");
  $("name-title").textContent = `Join ${room}`;
  dialog.showModal();
  dialog.addEventListener("cancel", (cancelled) => cancelled.preventDefault());
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = (submitted) => {
      submitted.preventDefault();
      const name = $("name").value.trim();
      if (!name) return;
      const address = new URL(location.href);
      address.searchParams.set("as", name);
      history.replaceState(null, "", address);
      dialog.close();
      resolve(name);
    };
  });
}

/** What the client is to be made with, for somebody of this name in this room. */
export function roomOptions(room, name) {
  return { sessionId: room, userId: name, config: { user_name: name, hear_people: true, audio_rate: 24_000 } };
}

/** One of those who are in the room, as a card. */
class Participant {
  constructor({ id, kind }, isSelf, onmute) {
    this.card = element("li", `participant ${kind}`);
    this.card.dataset.id = id;
    const face = element("span", "face");
    face.setAttribute("aria-hidden", "true");
    this.name = element("span", "name");
    this.state = element("span", "state");
    this.isSelf = isSelf;
    this.kind = kind;
    this.isMuted = false;
    const words = element("span", "about");
    words.append(this.name, this.state);
    this.card.append(face, words);
    this.face = face;
    this.card.classList.toggle("self", isSelf);
    if (kind !== "person" || isSelf) return;
    this.mute = Object.assign(element("button", "round mute"), { type: "button" });
    this.mute.innerHTML = '<svg><use href="#icon-sound"/></svg>';
    this.mute.onclick = () => onmute(!this.isMuted) && this.setMuted(!this.isMuted);
    this.card.append(this.mute);
    this.setMuted(false);
  }

  update({ name, status }) {
    this.shownName = this.isSelf ? `${name} (you)` : name;
    this.name.textContent = this.shownName;
    this.face.textContent = [...name][0]?.toUpperCase() ?? "?";
    this.status = status;
    this.card.classList.toggle("absent", status !== "here");
    if (this.mute) this.setMuted(this.isMuted);
    return this;
  }

  setMuted(isMuted) {
    this.isMuted = isMuted;
    this.mute.setAttribute("aria-pressed", String(isMuted));
    this.mute.title = isMuted ? `Hear ${this.shownName} again` : `Mute ${this.shownName}, for you`;
    this.mute.setAttribute("aria-label", this.mute.title);
    this.mute.querySelector("use").setAttribute("href", isMuted ? "#icon-muted" : "#icon-sound");
  }

  show({ hasFloor, isSpeaking, hasHand }) {
    if ((hasFloor || isSpeaking) && !this.card.matches(".holds, .speaks")) this.#comeIntoSight();
    this.card.classList.toggle("holds", hasFloor);
    this.card.classList.toggle("speaks", isSpeaking);
    const words = hasFloor ? "has the floor" : isSpeaking ? "speaking" : hasHand ? "wants to speak" : "";
    this.state.textContent = STATUS_WORDS[this.status] ?? (this.isMuted && !words ? "muted" : words);
  }

  #comeIntoSight() {
    const list = this.card.parentElement;
    if (list) list.scrollLeft += Math.min(0, this.card.offsetLeft - list.offsetLeft - list.scrollLeft - 16) ||
      Math.max(0, this.card.offsetLeft + this.card.offsetWidth - list.offsetLeft - list.scrollLeft - list.clientWidth + 16);
  }

  /** dBFS, or nothing for silence. */
  level(db = SILENT) {
    this.card.style.setProperty("--level", Math.min(1, Math.max(0, 1 - db / SILENT)).toFixed(2));
  }
}

export class Room {
  #participants = new Map();
  #floor = { holders: [], speaking: [], hands: [] };
  #lines = new Map(); // the text of each line that is shown
  #replies = new Map(); // the responses of the reply that each agent is making
  #isShown = false;
  #before = 0; // how much was shown when the connection was made

  /**
   * `self` is the user's id; `onchange` is called when others have the floor, `said` when there is something in the
   * conversation.
   */
  constructor({ client, player, transcript, self, onchange, said }) {
    Object.assign(this, { client, player, transcript, self, onchange, said });
    client.on("room_state", (state) => this.#show(state));
    client.on("room_participant_joined", ({ participant }) => {
      const isNew = !this.#participants.has(participant.id);
      this.#put(participant);
      if (isNew && participant.id !== this.self) this.#note(`${participant.name} has joined.`);
    });
    client.on("room_participant_updated", ({ participant }) => {
      this.#put(participant);
      if (participant.id === this.self) return;
      const back = participant.status === "here" ? "is back" : "";
      const away = participant.kind === "agent" ? "has failed, and will be back" : "has lost the connection";
      this.#note(`${participant.name} ${back || away}.`);
    });
    client.on("room_participant_left", ({ participant, reason }) => {
      this.#participants.get(participant.id)?.card.remove();
      this.#participants.delete(participant.id);
      this.#note(`${participant.name} ${LEFT_WORDS[reason] ?? "has left"}.`);
    });
    client.on("room_floor_changed", (floor) => this.#setFloor(floor));
    client.on("room_levels", ({ levels }) => {
      for (const [id, each] of this.#participants) each.level(levels[id]);
    });
    client.on("room_line", (line) => this.#line(line));
    client.on("agent_response_created", ({ agent_id, response_id }) => {
      if (!this.#replies.has(agent_id)) this.#replies.set(agent_id, []);
      this.#replies.get(agent_id).push(response_id);
    });
    client.on("state", ({ state }) => {
      if (state === "starting") this.#before = transcript.list.childElementCount;
      if (state !== "ready") for (const each of this.#participants.values()) each.level();
    });
    $("participants").hidden = false;
  }

  /** Whether an agent has the floor, even if it says nothing (it waits for a tool, say). */
  get hasHolder() {
    return this.#floor.holders.length > 0;
  }

  /** Who is heard now, in words; empty: nobody. */
  get activity() {
    const name = (id) => this.#participants.get(id)?.name.textContent ?? id;
    const people = this.#floor.speaking.filter((id) => id !== this.self).map(name);
    if (people.length > 0) return `${people.join(" and ")} ${people.length > 1 ? "are" : "is"} speaking`;
    const agents = this.#floor.holders.map(name);
    return agents.length > 0 ? `${agents.join(" and ")} ${agents.length > 1 ? "have" : "has"} the floor` : "";
  }

  /** Those who are there when the user comes are not told as coming. */
  #note(words) {
    if (this.#isShown) this.transcript.note(words);
  }

  #show(state) {
    this.#isShown = true;
    const there = new Set(state.participants.map(({ id }) => id));
    for (const [id, each] of this.#participants) {
      if (there.has(id)) continue;
      each.card.remove();
      this.#participants.delete(id);
    }
    for (const participant of state.participants) this.#put(participant);
    // A room that has ended and begun again counts its lines from one.
    const isSame = state.lines.every(({ id, text }) => !this.#lines.has(id) || this.#lines.get(id) === text);
    if (!isSame || (state.lines.length === 0 && this.#lines.size > 0)) {
      this.#lines.clear();
      this.transcript.startAnew();
    }
    let following = this.transcript.list.children[this.#before]; // what came before this is newer
    for (const line of state.lines.toReversed()) {
      const isKnown = this.transcript.find(line.id) !== undefined;
      const { entry } = this.#line(line);
      if (!isKnown) following?.before(entry);
      const isEarlier = !following || entry.compareDocumentPosition(following) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (isEarlier) following = entry;
    }
    this.#setFloor(state);
  }

  #put(participant) {
    let shown = this.#participants.get(participant.id);
    if (!shown) {
      const isSelf = participant.id === this.self;
      shown = new Participant(participant, isSelf, (muted) => this.client.sendRoomMute(participant.id, muted));
      this.#participants.set(participant.id, shown);
      $("participants").append(shown.card);
    }
    shown.update(participant);
    this.#showFloor();
  }

  #setFloor({ holders, speaking, hands }) {
    const { transcript } = this;
    for (const id of speaking) {
      if (!this.#floor.speaking.includes(id)) this.#turnOf(id, `speaking-${id}`);
    }
    for (const id of this.#floor.speaking.filter((each) => !speaking.includes(each))) {
      const turn = transcript.find(`speaking-${id}`);
      setTimeout(() => transcript.find(`speaking-${id}`) === turn && transcript.remove(`speaking-${id}`), NO_WORDS);
    }
    for (const id of holders) if (!this.#floor.holders.includes(id)) this.#replies.set(id, []);
    this.#floor = { holders, speaking, hands };
    this.#showFloor();
    this.onchange();
  }

  #showFloor() {
    const { holders, speaking, hands } = this.#floor;
    for (const [id, each] of this.#participants) {
      each.show({ hasFloor: holders.includes(id), isSpeaking: speaking.includes(id), hasHand: hands.includes(id) });
    }
  }

  /** A person's turn that has this id. */
  #turnOf(id, turn, name = this.#participants.get(id)?.name.textContent ?? id) {
    this.said();
    return id === this.self ? this.transcript.user(turn) : this.transcript.person(turn, name);
  }

  #line({ id, speaker_id, speaker_name, kind, text, interrupted }) {
    const { transcript } = this;
    this.#lines.set(id, text);
    this.said();
    if (kind === "person") {
      const isPending = transcript.find(`speaking-${speaker_id}`) && !transcript.find(id);
      if (isPending) transcript.rename(`speaking-${speaker_id}`, id);
      return this.#turnOf(speaker_id, id, speaker_name).complete(text);
    }
    // The words of a reply are shown as they come; its line says how many of them were heard.
    const responses = this.#replies.get(speaker_id) ?? [];
    const shown = (responses.includes(id) ? responses : [id]).map((each) => transcript.find(each)).filter(Boolean);
    if (shown.length === 0) shown.push(transcript.agent(id, speaker_name).complete(text));
    else if (interrupted) {
      let count = text.replace(/\s/g, "").length;
      for (const turn of shown) count = turn.heardUpTo(count);
    }
    if (interrupted) shown.at(-1).interrupted();
    for (const turn of shown) turn.isSettled = true;
    // What nobody could hear here in its time is not heard later.
    if (this.player.isLocked) for (const each of [id, ...responses]) this.player.flush(each);
    return shown[0];
  }
}

function element(tag, className, textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}
