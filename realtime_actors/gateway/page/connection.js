/** What the page says of its connection to the gateway, and of the gateway's to the model. */

const $ = (id) => document.getElementById(id);

const STATE_WORDS = {
  idle: "Not connected",
  connecting: "Connecting …",
  starting: "Getting ready …",
  ready: "Ready",
  ended: "Session ended",
  waiting: "Reconnecting …",
  refused: "Refused",
};
const END_WORDS = {
  server_stopped: "The gateway is being stopped.",
  agent_ended: "The agent has ended.",
  client_ended: "The session was ended.",
};
/** Codes of errors after which the agent connects to its model again, by itself. */
const MODEL_LOST_WORDS = {
  connection_lost: "The connection to the model is lost.",
  session_expired: "The model has ended its session.",
  model_silent: "The model has fallen silent.",
};
const MEMORY_WORDS = {
  full: "It remembers all of the conversation.",
  partial: "It remembers the conversation in part.",
  none: "It does not remember what was said before.",
};

/** The message above the field, which the user can dismiss. */
export const problem = {
  show(words) {
    const shown = $("problem").querySelector("p");
    if ($("problem").hidden || shown.textContent !== words) shown.textContent = words; // an alert is read out when it is set
    $("problem").hidden = false;
  },
  hide() {
    $("problem").hidden = true;
  },
};

export class Connection {
  #wasReady = false;
  #pending = null; // the note about a connection that is being made again
  #modelLost = 0; // when
  #lostAgents = []; // in a room: {agent, note, at} of those that have lost their models

  /** `onchange` is called when it stands otherwise; `askForToken` when the gateway wants one. */
  constructor({ client, transcript, onchange, askForToken }) {
    Object.assign(this, { client, transcript, onchange, askForToken });
    /** Whether there are several agents, one of which may be without its model while the others are not. */
    this.isRoom = false;
    /** What is said when it is made again, and the session is another one. */
    this.anewWords = "Connected again. The agent is a new one and does not remember.";
    this.resumedWords = "Connected again. The conversation goes on.";
    this.refusalWords = {
      4401: "The gateway wants a token.",
      4409: "Another frontend has this session: close that one, then connect again.",
    };
    client.on("state", (change) => this.#changed(change));
    client.on("agent_error", (error) => this.#failed(error));
    client.on("server_session_updated", ({ metadata }) => this.#updated(metadata ?? {}));
    $("connect").onclick = () => (client.state === "ended" ? client.createSession() : client.connect());
    globalThis.addEventListener("online", () => client.state === "waiting" && client.connect());
  }

  /** Whether the agent hears what is said now. */
  get isWhole() {
    return this.client.state === "ready" && !this.#modelLost;
  }

  /** Whether what is said now is kept for when the model is there again. */
  get isKept() {
    return this.client.state === "ready" && this.#modelLost > 0;
  }

  /** The next agent is meant to be another one: nothing is said of what it remembers. */
  startAnew() {
    this.#wasReady = false;
    this.client.connect();
  }

  #changed({ state, code, reason, resumed }) {
    const { transcript } = this;
    if (state !== "ready") {
      this.#modelLost = 0;
      this.#lostAgents = [];
    }
    if (state === "ready") {
      if (this.#wasReady && !resumed) transcript.close();
      if (this.#wasReady) this.#tell(resumed ? this.resumedWords : this.anewWords);
      this.#wasReady = true;
      this.#pending = null;
      problem.hide();
    }
    if (state === "waiting") {
      const why = reason ? `The connection is lost (${reason}).` : "The connection is lost.";
      problem.show(`${why} Trying again.`);
    }
    if (state === "ended") {
      transcript.close();
      if (this.#pending || END_WORDS[reason]) this.#tell(END_WORDS[reason] ?? "The session is over.");
      if (reason !== "server_stopped") this.#pending = null;
    }
    if (state === "refused") {
      problem.show(this.refusalWords[code] ?? `The gateway has refused the connection: ${reason || `code ${code}`}.`);
      if (code === 4401) this.askForToken();
    }
    this.#show();
  }

  #failed({ error_type, code, message, agent_name }) {
    const words = error_type === "connection_error" && MODEL_LOST_WORDS[code];
    const isAgents = this.isRoom && agent_name && agent_name !== this.client.config.user_name;
    const agent = isAgents ? `${agent_name}: ` : "";
    if (!words) {
      this.transcript.note(`${agent}${sentence(message) || `An error without words: ${code || "no code"}.`}`, "error");
      return;
    }
    if (this.isRoom) {
      const note = this.transcript.note(`${agent}${words} Reconnecting …`, "busy");
      this.#lostAgents.push({ agent, note, at: performance.now() });
      return;
    }
    this.#modelLost ||= performance.now();
    this.#tell(`${words} Reconnecting …`, "busy");
    this.#show();
  }

  #updated({ connection, state_restored, model }) {
    if (connection !== "restored") return;
    const lost = this.#lostAgents.shift();
    const since = lost?.at ?? this.#modelLost;
    const after = since ? ` after ${((performance.now() - since) / 1000).toFixed(1)}\u00a0s` : "";
    const again = model ? `Going on with ${model}${after}.` : `The model is connected again${after}.`;
    const words = `${again} ${MEMORY_WORDS[state_restored] ?? ""}`.trim();
    if (lost) lost.note.change(`${lost.agent}${words}`);
    else this.#tell(words);
    this.#pending = null;
    this.#modelLost = 0;
    this.#show();
  }

  /** One line tells of a connection that is lost, and of what became of it. */
  #tell(words, kind = "") {
    if (this.#pending) this.#pending.change(words, kind);
    else this.#pending = this.transcript.note(words, kind);
  }

  #show() {
    const { state } = this.client;
    const isAgain = this.#modelLost > 0 || (this.#wasReady && ["connecting", "starting"].includes(state));
    const shown = isAgain ? "waiting" : state;
    $("connection").dataset.state = shown;
    $("connection-words").textContent = STATE_WORDS[shown];
    $("connect").hidden = !["waiting", "refused", "ended", "idle"].includes(state);
    $("connect").textContent = state === "ended" ? "Start again" : "Connect";
    this.onchange();
  }
}

/** Where the gateway has models of several providers, one may be chosen: `choose(name)` is called with it. */
export async function offerProviders(choose) {
  const answer = await fetch("healthz").catch(() => null);
  const { providers = [] } = answer?.ok ? await answer.json() : {};
  const select = $("provider");
  select.replaceChildren(...providers.map((name) => new Option(name)));
  select.hidden = providers.length < 2;
  select.onchange = () => choose(select.value);
}

function sentence(words) {
  if (!words) return "";
  return words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}
