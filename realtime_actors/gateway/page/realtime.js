/**
 * A browser's side of a realtime_actors gateway: the session, the microphone, the speaker. No looks, no dependencies.
 *
 *   const conversation = new Conversation({ client: new RealtimeClient({ url: "wss://voice.example.org" }) });
 *   conversation.client.on("agent_response_audio_transcript_delta", (event) => console.log(event.delta));
 *   conversation.client.connect();
 *   button.onclick = () => conversation.listen();
 *
 * Copy this file and microphone-worklet.js, which it looks for beside itself. docs/frontend.md explains both.
 */

/** Names of subprotocols; the gateway knows them. */
const SUBPROTOCOLS = { json: "realtime-actors.json", msgpack: "realtime-actors.msgpack" };
const TOKEN_SUBPROTOCOL = "realtime-actors.token.";

const AUDIO_DELTAS = new Set(["agent_response_audio_delta", "room_audio_delta"]);
/** What other people in a room say may lag so far behind, ms. */
const MOST_LAG = 400;

/** Close codes after which trying again would be refused again: policy, token, session taken. */
const FINAL_CODES = new Set([1008, 4401, 4409]);
/** A socket that is not open after this long counts as lost (ms). */
const CONNECT_TIMEOUT = 15_000;
/** Errors of this kind are about one request of ours; of another kind, while the agent starts, they say it will not. */
const REQUEST_ERRORS = new Set(["invalid_request_error", "connection_error"]);
/** Time constant (s) with which sound begins and ends in the middle of a reply: a cut would click. */
const FADE = 0.0015;
/** How often a position is told while something is played, ms. */
const REPORT_EVERY = 200;
/** Bytes that may wait in the socket before microphone audio is dropped: some four seconds on the JSON wire. */
const MOST_UNSENT = 256 * 1024;

/** Calls listeners; `on` gives a function that takes the listener away again. */
class Emitter {
  #listeners = new Map();

  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  emit(name, detail) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(detail);
  }
}

/** An id for a session: 128 random bits. (`crypto.randomUUID` is missing on plain http.) */
export function newSessionId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A session with a gateway that is kept: when the socket is lost it connects again, under the same session id, with
 * growing pauses. Where the gateway waits for it so long, the session goes on (`resumed`); else the agent behind it is a
 * new one then, which remembers nothing.
 *
 * `state` is one of
 *   idle        not connected, and not meant to be
 *   connecting  the socket is being opened
 *   starting    the socket is open, the agent is getting ready; what is sent is kept for it
 *   ready       the agent listens, or the room does
 *   ended       the session is over, the socket is open: `createSession()` begins another
 *   waiting     the socket is lost; it connects again by itself after a pause, or at once by `connect()`
 *   refused     the gateway will not have us: see the code (4401: a token is needed, or another one)
 *
 * Events for `on`: every server event by its type, `"*"` for all of them; `"state"` with `{state, code, reason, delay,
 * resumed}`; `"sent"` with each client event; `"dropped"` with the pieces of audio that were not sent so far; `"invalid"` with an
 * Error for a frame that cannot be read.
 */
export class RealtimeClient extends Emitter {
  #socket = null;
  #timer = 0;
  #attempts = 0;
  #wasReady = false;
  #lastHeard = 0;
  #pulse = 0; // timer
  #canAsk = false;
  #isCreated = false; // a session, on this socket

  /**
   * @param {object} options
   * @param {string} options.url the gateway, without `/ws/…`: `ws://…`, `wss://…`, or as the page's own: `http(s)://…`
   * @param {string} [options.userId] who speaks
   * @param {string} [options.sessionId] which conversation: up to 128 printable characters
   * @param {"json"|"msgpack"} [options.wire] JSON in text frames with audio as base64, or msgpack with raw bytes
   * @param {string} [options.token] what the gateway wants to see; it goes into a subprotocol, never into the URL
   * @param {object} [options.config] of the session: `instructions`, `agent_name`, `user_name`, …
   * @param {{first: number, most: number}} [options.backoff] the first and the longest pause before connecting again, ms
   * @param {{every: number, within: number} | null} [options.heartbeat] after how long a silence the gateway is asked
   *   whether it is still there, and within how long it must answer, ms; null: it is not asked
   */
  constructor({ url, userId = "guest", sessionId = newSessionId(), wire = "json", token = "", config = {}, ...times }) {
    super();
    Object.assign(this, { url, userId, sessionId, wire, token, config });
    this.backoff = { first: 500, most: 15_000, ...times.backoff };
    this.heartbeat = times.heartbeat === null ? null : { every: 15_000, within: 5_000, ...times.heartbeat };
    this.state = "idle";
    this.audioDropped = 0;
  }

  /** Whether what is sent now reaches the gateway. */
  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect, or connect again at once. Changes of `wire` and `token` count from here on. */
  connect() {
    this.#leave(1000);
    this.#attempts = 0;
    this.#open();
  }

  /** End the session for good. */
  close() {
    this.#leave(1000);
    this.#wasReady = false;
    this.#enter("idle");
  }

  /** Ask for an agent; done by itself when the socket opens, so this is for after the end of a session. */
  createSession(config = this.config) {
    this.config = config;
    if (!this.isOpen) return false;
    this.#enter("starting");
    return this.send({ type: "client_session_create", config });
  }

  /** Send a client event; audio and images as Uint8Array, whatever the wire. False: not connected, it is not sent. */
  send(event) {
    if (!this.isOpen) return false;
    if (event.type === "client_audio_append" && this.#socket.bufferedAmount > MOST_UNSENT) {
      this.emit("dropped", ++this.audioDropped);
      return false;
    }
    const full = event.type === "client_session_create" ? event : { session_id: this.sessionId, ...event };
    this.#socket.send(this.wire === "msgpack" ? encodeMsgpack(full) : encodeJson(full));
    this.emit("sent", full);
    return true;
  }

  /** Say something in text; it is answered. */
  sendText(text) {
    return this.send({ type: "client_text_append", text });
  }

  /** A piece of speech: PCM16 little-endian mono. Dropped when the network does not keep up. */
  sendAudio(pcm, rate) {
    return this.send({ type: "client_audio_append", audio: pcm, format: { type: "audio/pcm", rate } });
  }

  /** The user's turn is over: for a microphone that is switched off, which falls silent without a silence. */
  commitAudio() {
    return this.send({ type: "client_audio_commit" });
  }

  /** A JPEG or PNG for the model to see with the next turn; it is not answered by itself. */
  sendImage(bytes, type = "image/jpeg") {
    return this.send({ type: "client_image_append", image: bytes, format: { type } });
  }

  /** Ask for a reply now. */
  createResponse() {
    return this.send({ type: "client_response_create" });
  }

  /** Stop the reply. (`Conversation.interrupt` stops the speaker, too.) */
  cancelResponse() {
    return this.send({ type: "client_response_cancel" });
  }

  /** The result of a tool that runs here; `id` is the call's. */
  sendToolResult(id, name, output) {
    return this.send({ type: "client_tool_result", id, name, output });
  }

  /** Whether a call may run (`agent_tool_approval_requested`); the model is told the `reason` for a no. */
  sendToolApproval(id, approved, reason = "") {
    return this.send({ type: "client_tool_approval", id, approved, reason });
  }

  /** In a room: hear this person no more, or again. */
  sendRoomMute(participantId, muted) {
    return this.send({ type: "client_room_mute", participant_id: participantId, muted });
  }

  /** End the session, and keep the socket. */
  endSession() {
    return this.send({ type: "client_session_end" });
  }

  #open() {
    const base = this.url.replace(/^http/, "ws").replace(/\/$/, "");
    const address = `${base}/ws/${encodeURIComponent(this.userId)}/${encodeURIComponent(this.sessionId)}`;
    const offered = [SUBPROTOCOLS[this.wire]];
    if (this.token) offered.push(TOKEN_SUBPROTOCOL + percentEncode(this.token));
    this.#enter("connecting");
    const socket = new WebSocket(address, offered);
    this.#isCreated = false;
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost({ code: 1006, reason: "no answer" }), CONNECT_TIMEOUT);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.#lastHeard = performance.now();
      this.createSession();
      this.#beat(socket);
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = (closed) => this.#lost(closed);
  }

  /**
   * A socket whose other end has vanished stays open for many minutes, and browsers show no pings to a page: so the
   * gateway is asked by HTTP when nothing comes. Where that never worked (a content security policy), it says nothing.
   */
  async #beat(socket) {
    if (!this.heartbeat) return;
    const { every, within } = this.heartbeat;
    const isOurs = () => this.#socket === socket;
    const later = (ms) => new Promise((resolve) => (this.#pulse = setTimeout(resolve, ms)));
    this.#canAsk ||= await this.#ask(within);
    while (this.#canAsk && isOurs()) {
      await later(Math.max(0, this.#lastHeard + every - performance.now()));
      if (performance.now() - this.#lastHeard < every) continue;
      const asked = performance.now();
      let isThere = false;
      while (!isThere && isOurs() && performance.now() - asked < within) {
        isThere = (await this.#ask(within)) || this.#lastHeard > asked;
        if (!isThere) await later(within / 5);
      }
      if (!isOurs()) return;
      if (!isThere) return this.#lost({ code: 1006, reason: "no answer" });
      this.#lastHeard = performance.now();
    }
  }

  /** Whether the gateway answers, whatever it is. */
  async #ask(within) {
    const address = new URL("healthz", `${this.url.replace(/^ws/, "http").replace(/\/$/, "")}/`);
    try {
      await fetch(address, { mode: "no-cors", cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(within) });
      return true;
    } catch {
      return false;
    }
  }

  /** Forget the socket; nothing of it is heard any more. */
  #leave(code) {
    clearTimeout(this.#timer);
    clearTimeout(this.#pulse);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(code);
    }
  }

  #lost({ code, reason }) {
    this.#leave();
    // A session of ours that the gateway has not yet seen break off is free again soon.
    if (FINAL_CODES.has(code) && !(code === 4409 && this.#wasReady)) {
      this.#enter("refused", { code, reason });
      return;
    }
    const pause = Math.min(this.backoff.first * 2 ** this.#attempts++, this.backoff.most);
    const delay = Math.round(pause * (0.75 + Math.random() / 4));
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#enter("waiting", { code, reason, delay });
  }

  #receive(data) {
    this.#lastHeard = performance.now();
    let event;
    try {
      event = typeof data === "string" ? decodeJson(data) : decodeMsgpack(data);
    } catch (error) {
      this.emit("invalid", error);
      return;
    }
    if (event.type === "server_session_created") this.#isCreated = true;
    // A room that goes on may say so before the gateway does.
    const goesOn = event.type === "room_state" && !this.#isCreated;
    const isResumed = goesOn || (event.type === "server_session_updated" && event.metadata?.resumed === "true");
    if (this.state === "starting" && (isResumed || ["agent_ready", "room_state"].includes(event.type))) {
      this.#attempts = 0;
      this.#wasReady = true;
      this.#enter("ready", { resumed: isResumed });
    }
    const isRefusal = event.type === "agent_error" && !REQUEST_ERRORS.has(event.error_type);
    this.emit("*", event);
    this.emit(event.type, event);
    if (event.type === "server_session_ended" || (this.state === "starting" && isRefusal)) {
      this.#enter("ended", { reason: event.metadata?.reason ?? event.code ?? "" });
    }
  }

  #enter(state, detail = {}) {
    this.state = state;
    this.emit("state", { state, code: 0, reason: "", delay: 0, resumed: false, ...detail });
  }
}

/** The microphone refused, in words for the user; `reason` is `insecure`, `denied`, `missing` or `busy`. */
export class MicrophoneError extends Error {
  constructor(reason, message, cause) {
    super(message, { cause });
    this.reason = reason;
  }
}

const MICROPHONE_PROBLEMS = {
  NotAllowedError: ["denied", "The microphone is not allowed here. Allow it in the browser's site settings."],
  NotFoundError: ["missing", "No microphone was found."],
  NotReadableError: ["busy", "The microphone cannot be read: another program may be using it."],
};

function release(stream, context) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  context?.close();
}

/** The microphone as PCM16 at `rate` Hz in pieces of `chunkMs`. */
export class Microphone {
  #stream = null;
  #context = null;
  #asking = null;
  #floor = 1;

  constructor({ rate = 24_000, chunkMs = 20 } = {}) {
    Object.assign(this, { rate, chunkMs });
    /** When it last heard something that is not its background noise (`performance.now()`); 0: never. */
    this.lastLoud = 0;
    /** For how long it has heard that without a break, ms. */
    this.loudMs = 0;
    /** RMS of the last piece, 0 to 1. */
    this.level = 0;
  }

  get isOn() {
    return this.#context !== null;
  }

  /**
   * Ask for it, and call `onAudio(pcm)` with each piece (Uint8Array) until `stop`; `onEnd` when it is unplugged.
   * Raises MicrophoneError. Call it from a click: browsers start no audio without one.
   */
  async start(onAudio, onEnd = () => {}) {
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) {
      throw new MicrophoneError("insecure", "Browsers give the microphone to pages on https or localhost only.");
    }
    this.stop();
    const asking = (this.#asking = {});
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    let context;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
      context = new AudioContext({ latencyHint: "interactive" });
      await context.audioWorklet.addModule(new URL("microphone-worklet.js", import.meta.url));
    } catch (error) {
      release(stream, context);
      const [reason, message] = MICROPHONE_PROBLEMS[error.name] ?? ["busy", `The microphone failed: ${error.message}`];
      throw new MicrophoneError(reason, message, error);
    }
    if (this.#asking !== asking) {
      release(stream, context); // stopped while the user was being asked
      return;
    }
    const worklet = new AudioWorkletNode(context, "realtime-actors-microphone", {
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { rate: this.rate, samples: Math.round((this.rate * this.chunkMs) / 1000) },
    });
    worklet.port.onmessage = ({ data }) => {
      if (this.#context !== context) return;
      this.#listen(data.level);
      onAudio(new Uint8Array(data.pcm));
    };
    // Its output is silence; unconnected, some browsers would not run it.
    context.createMediaStreamSource(stream).connect(worklet).connect(context.destination);
    stream.getAudioTracks()[0].onended = () => {
      this.stop();
      onEnd();
    };
    this.#stream = stream;
    this.#context = context;
    await context.resume();
  }

  /** Let go of it: the browser's sign that it records goes out. */
  stop() {
    release(this.#stream, this.#context);
    this.#stream = this.#context = this.#asking = null;
    this.level = this.loudMs = 0;
  }

  #listen(level) {
    this.level = level;
    this.#floor = Math.min(level, this.#floor * 1.005 + 1e-6); // falls at once, doubles in three seconds
    const isLoud = level > Math.max(0.01, 3 * this.#floor);
    this.loudMs = isLoud ? this.loudMs + this.chunkMs : 0;
    if (isLoud) this.lastLoud = performance.now();
  }
}

/**
 * Plays replies one after another, each without gaps, and is silent at once when told so: for good, or for a while.
 *
 * Little is handed to the audio thread ahead; the rest waits here. Events for `on`: `"start"` with `{id, at}` when a
 * reply's first sound leaves the speaker (`performance.now()`), `"stop"` with `{id, playedMs, flushed, items}`, where
 * `items` are `{item, playedMs, receivedMs}` of each of its items that had sound, `"speaking"` with true or false, and `"position"` with `{id, item, playedMs, playing}`: so much of an item has left the speaker, and
 * it goes on from there or not. It comes a few times a second, and when the item is over, flushed, held or resumed.
 */
export class Player extends Emitter {
  #context = null;
  #out = null;
  #replies = []; // {id, pieces: [{buffer, skip, entry}], entries, ended, playedMs, started, announced}; skip in seconds
  #playing = new Set(); // {reply, piece, source, gain, from, to} in the context's seconds
  #items = []; // {id, item, ms, heardMs, parts, told}: what there is of each item, until it has been heard
  #reporting = 0; // timer
  #next = 0;
  #isHeld = false;
  #wasSpeaking = false;

  /** `rate` is the usual rate of the replies in Hz (another is converted); `mostMs` how much may wait to be played. */
  constructor({ rate = 24_000, mostMs = 10 * 60_000 } = {}) {
    super();
    Object.assign(this, { rate, mostMs });
    this.queuedMs = 0;
    /** Milliseconds of audio that found no room. */
    this.droppedMs = 0;
    /** An AnalyserNode behind everything that is played, once there is sound: for a level, or a test. */
    this.analyser = null;
  }

  /** Whether something is played, or about to be. */
  get isSpeaking() {
    return this.#playing.size > 0 || this.#replies.some((reply) => reply.pieces.length > 0);
  }

  /** How long it takes from now until what comes next is heard. */
  get aheadMs() {
    return this.#context === null ? 0 : Math.max(0, this.#next - this.#context.currentTime) * 1000 + this.queuedMs;
  }

  /** Whether `hold` has stopped it. */
  get isHeld() {
    return this.#isHeld;
  }

  /** Whether the browser holds the sound back until the user clicks or types: then call `unlock` from there. */
  get isLocked() {
    return this.#context !== null && this.#context.state !== "running";
  }

  /** Allow sound; browsers want that to happen in a click or a key press. */
  unlock() {
    return this.#ensure().resume();
  }

  /** Play a piece of a reply: PCM16 little-endian mono at `rate` Hz. `item` is the part of the reply that it belongs to. */
  play(id, pcm, rate = this.rate, item = "") {
    const context = this.#ensure();
    const count = pcm.byteLength >> 1;
    const ms = (count * 1000) / rate;
    if (count === 0) return;
    if (this.queuedMs + ms > this.mostMs) {
      this.droppedMs += ms;
      return;
    }
    const buffer = context.createBuffer(1, count, rate);
    const samples = buffer.getChannelData(0);
    const view = new DataView(pcm.buffer, pcm.byteOffset, count * 2);
    for (let i = 0; i < count; i++) samples[i] = view.getInt16(2 * i, true) / 32_768;
    let reply = this.#replies.find((each) => each.id === id);
    if (!reply) {
      reply = { id, pieces: [], entries: [], ended: false, playedMs: 0, started: false, announced: false };
      this.#replies.push(reply);
    }
    let entry = this.#items.find((each) => each.id === id && each.item === item);
    if (!entry) {
      entry = { id, item, ms: 0, heardMs: 0, parts: [], told: "" };
      this.#items.push(entry);
      reply.entries.push(entry);
    }
    entry.ms += ms;
    reply.pieces.push({ buffer, skip: 0, entry });
    this.queuedMs += ms;
    this.#pump();
    this.#reporting ||= setInterval(() => this.#report(), REPORT_EVERY);
  }

  /** Nothing more comes of this reply; what is there is played to its end. */
  finish(id) {
    const reply = this.#replies.find((each) => each.id === id);
    if (reply) reply.ended = true;
    this.#pump();
  }

  /** Silence, within a few milliseconds, and nothing more of what waited: of one reply, or of all. */
  flush(id) {
    const isMeant = (reply) => id === undefined || reply.id === id;
    const stopped = this.#replies.filter(isMeant);
    if (id === undefined) this.#isHeld = false;
    if (stopped.length === 0) return;
    for (const part of this.#playing) if (isMeant(part.reply)) this.#cut(part);
    this.#giveUp(isMeant);
    for (const reply of stopped) {
      for (const { buffer, skip } of reply.pieces) this.queuedMs -= (buffer.duration - skip) * 1000;
      this.#close(reply, true);
    }
    this.#next = Math.max(0, ...[...this.#playing].map((part) => part.to));
    this.#pump();
  }

  /** Silence, within a few milliseconds, until `resume`: then it goes on where it was. What comes meanwhile waits. */
  hold() {
    if (this.#isHeld) return;
    this.#isHeld = true;
    for (const part of [...this.#playing].reverse()) {
      const { reply, piece } = part;
      piece.skip += this.#cut(part);
      this.queuedMs += (piece.buffer.duration - piece.skip) * 1000;
      reply.pieces.unshift(piece);
      reply.started = reply.announced; // what was not heard yet starts later
    }
    this.#next = 0;
    if (this.#reporting) this.#report();
  }

  /** Go on after `hold`. */
  resume() {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#pump();
    if (this.#reporting) this.#report();
  }

  /** Stop a part at once; the seconds of it that were played. */
  #cut(part) {
    const now = this.#context.currentTime;
    const played = Math.max(0, Math.min(now, part.to) - part.from);
    part.reply.playedMs += played * 1000;
    part.to = part.from + played;
    part.source.onended = null;
    if (part.from >= now) part.gain.disconnect();
    else part.gain.gain.cancelScheduledValues(now).setTargetAtTime(0, now, FADE);
    part.source.stop(now + 0.01);
    part.isCut = true;
    this.#playing.delete(part);
    return played;
  }

  #ensure() {
    if (this.#context === null) {
      // At the replies' own rate nothing is converted, so pieces join without a seam.
      this.#context = new AudioContext({ latencyHint: "interactive", sampleRate: this.rate });
      this.analyser = new AnalyserNode(this.#context, { fftSize: 256, smoothingTimeConstant: 0 });
      this.analyser.connect(this.#context.destination);
    }
    return this.#context;
  }

  #pump() {
    const context = this.#context;
    while (!this.#isHeld && this.#replies.length > 0 && this.#next < context.currentTime + 1) {
      const reply = this.#replies.find((each) => each.pieces.length > 0 || !each.ended);
      if (!reply || reply.pieces.length === 0) break;
      this.#schedule(reply, reply.pieces.shift());
    }
    for (const reply of this.#replies.filter((each) => each.ended && each.pieces.length === 0)) {
      if (![...this.#playing].some((part) => part.reply === reply)) this.#close(reply, false);
    }
    if (this.isSpeaking !== this.#wasSpeaking) {
      this.#wasSpeaking = this.isSpeaking;
      this.emit("speaking", this.isSpeaking);
    }
  }

  #schedule(reply, piece) {
    const context = this.#context;
    if (this.#next < context.currentTime) {
      // The first piece, or the network was late: then wait for a little more before going on.
      this.#next = context.currentTime + (reply.started && piece.skip === 0 ? 0.1 : 0.02);
    }
    const { buffer, skip } = piece;
    const seconds = buffer.duration - skip;
    const source = new AudioBufferSourceNode(context, { buffer });
    const gain = new GainNode(context);
    source.connect(gain).connect(this.analyser);
    if (skip > 0) gain.gain.setValueAtTime(0, this.#next).setTargetAtTime(1, this.#next, FADE);
    const part = { reply, piece, source, gain, from: this.#next, to: this.#next + seconds, isCut: false };
    source.onended = () => {
      this.#playing.delete(part);
      reply.playedMs += seconds * 1000;
      this.#pump();
    };
    source.start(part.from, skip);
    piece.entry.parts.push(part);
    this.#playing.add(part);
    this.#next = part.to;
    this.queuedMs = Math.max(0, this.queuedMs - seconds * 1000);
    if (!reply.started) this.#announce(part);
  }

  /** Tell of the reply's first sound (not its first silence) when it is heard. */
  #announce(part) {
    const { buffer, skip } = part.piece;
    const begin = Math.round(skip * buffer.sampleRate);
    const first = buffer.getChannelData(0).subarray(begin).findIndex((sample) => Math.abs(sample) > 0.001);
    if (first < 0) return;
    part.reply.started = true;
    const heard = part.from + first / buffer.sampleRate;
    const tell = () => {
      if (part.isCut || !this.#replies.includes(part.reply)) return; // held, flushed, or over
      const at = this.#performanceTime(heard);
      const early = at - performance.now();
      if (early > 1 || this.isLocked) setTimeout(tell, Math.max(early, 10));
      else {
        part.reply.announced = true;
        this.emit("start", { id: part.reply.id, at });
      }
    };
    tell();
  }

  /** How much of an item has left the speaker when that plays what the context played at `time`. */
  #heardMs(entry, time) {
    let ms = 0;
    for (const part of [...entry.parts]) {
      ms += Math.max(0, Math.min(time, part.to) - part.from) * 1000;
      if (part.to > time) continue;
      entry.heardMs += (part.to - part.from) * 1000;
      ms -= (part.to - part.from) * 1000;
      entry.parts.splice(entry.parts.indexOf(part), 1);
    }
    return entry.heardMs + ms;
  }

  /** Tell how far the item is that is heard, and which are over. */
  #report() {
    // What was cut is on its way to the speaker, and does not come back.
    const time = this.#isHeld ? this.#context.currentTime : this.#audibleTime();
    while (this.#items.length > 0) {
      const [entry, next] = this.#items;
      const heardMs = this.#heardMs(entry, time);
      const reply = this.#replies.find((each) => each.id === entry.id);
      const isOver = heardMs > entry.ms - 1 && (next || !reply || reply.ended);
      this.#tell(entry, heardMs, !isOver && !this.#isHeld && !this.isLocked);
      if (!isOver) return;
      this.#items.shift();
    }
    clearInterval(this.#reporting);
    this.#reporting = 0;
  }

  /** Of these replies nothing more is played: tell how far they were. */
  #giveUp(isMeant) {
    const [first] = this.#items;
    for (const entry of this.#items.filter(isMeant)) {
      const heardMs = this.#heardMs(entry, Infinity);
      if (entry === first || heardMs > 0) this.#tell(entry, heardMs, false);
    }
    this.#items = this.#items.filter((entry) => !isMeant(entry));
  }

  #tell(entry, heardMs, playing) {
    const told = `${Math.round(heardMs)} ${playing}`;
    if (told === entry.told) return;
    entry.told = told;
    this.emit("position", { id: entry.id, item: entry.item, playedMs: heardMs, playing });
  }

  /** What the context played when the speaker plays now. */
  #audibleTime() {
    const context = this.#context;
    const { contextTime, performanceTime } = context.getOutputTimestamp?.() ?? {};
    if (!(performanceTime > 0)) return context.currentTime - (context.outputLatency ?? 0);
    return Math.min(contextTime + (performance.now() - performanceTime) / 1000, context.currentTime);
  }

  /** When the speaker plays what the context plays at `seconds`. */
  #performanceTime(seconds) {
    const context = this.#context;
    const { contextTime, performanceTime } = context.getOutputTimestamp?.() ?? {};
    if (performanceTime > 0) return performanceTime + (seconds - contextTime) * 1000;
    return performance.now() + (seconds - context.currentTime + (context.outputLatency ?? 0)) * 1000;
  }

  #close(reply, flushed) {
    this.#replies.splice(this.#replies.indexOf(reply), 1);
    const items = reply.entries.map((entry) => ({
      item: entry.item,
      playedMs: flushed ? Math.round(this.#heardMs(entry, Infinity)) : Math.round(entry.ms),
      receivedMs: Math.round(entry.ms),
    }));
    this.emit("stop", { id: reply.id, playedMs: Math.round(reply.playedMs), flushed, items });
  }
}

/**
 * Client, microphone and player as one: what is heard is sent, what comes is played, and an interruption silences the
 * speaker at once, whoever interrupts.
 *
 * Whoever speaks over a reply is not kept waiting for the model to notice: a voice in the microphone holds the player, and
 * when no `agent_input_started` confirms it in time, it was a cough, and the reply goes on where it was.
 *
 * Events for `on`: `"latency"` with `{responseId, ms, after}`: from the end of the user's speech (or of a text's sending)
 * to the first sound of the answer; `"held"` with the microphone's level, and `"resumed"` after a false start.
 */
export class Conversation extends Emitter {
  #open = new Set(); // replies that have not ended
  #silenced = new Set(); // those of them of which nothing more is played
  #asked = null;
  #holding = 0; // timer
  #bar = 0; // what is not louder than this holds nothing
  #loudest = 0; // in the microphone, since it is held
  #self = ""; // in a room: who the user is
  #isSpeaking = false; // in a room: the user, as the room hears it

  /**
   * @param {object} options
   * @param {RealtimeClient} options.client
   * @param {Microphone} [options.microphone]
   * @param {Player} [options.player]
   * @param {{afterMs: number, waitMs: number} | null} [options.bargeIn] the player is held after this much voice, and
   *   waits for this long to be told that it was speech; null: only the model interrupts
   */
  constructor({ client, microphone = new Microphone(), player = new Player(), bargeIn = {} }) {
    super();
    Object.assign(this, { client, microphone, player });
    /** Plays what the other people in a room say. */
    this.people = new Player();
    this.bargeIn = bargeIn && { afterMs: 40, waitMs: 500, ...bargeIn };
    client.on("agent_response_created", ({ response_id }) => this.#open.add(response_id));
    client.on("agent_response_audio_delta", (event) => {
      this.#open.add(event.response_id);
      if (this.#silenced.has(event.response_id)) return;
      player.play(event.response_id, event.delta, event.format?.rate, event.item_id);
    });
    client.on("agent_playout_flush", ({ response_id }) => player.flush(response_id));
    player.on("position", ({ id, item, playedMs, playing }) => {
      const position = { response_id: id, item_id: item, played_ms: Math.round(playedMs), playing };
      client.send({ type: "client_playout_update", ...position });
    });
    client.on("agent_response_done", ({ response_id, metadata }) => {
      this.#open.delete(response_id);
      this.#silenced.delete(response_id);
      if (metadata?.status === "cancelled") player.flush(response_id);
      else player.finish(response_id);
    });
    client.on("agent_input_started", () => this.#userBegan());
    client.on("agent_input_done", () => this.#userStopped());
    client.on("room_state", ({ participant_id, speaking }) => {
      this.#self = participant_id;
      this.#isSpeaking = speaking.includes(participant_id);
    });
    client.on("room_floor_changed", ({ speaking }) => {
      const isSpeaking = speaking.includes(this.#self);
      if (isSpeaking === this.#isSpeaking) return;
      this.#isSpeaking = isSpeaking;
      if (isSpeaking) this.#userBegan();
      else this.#userStopped();
    });
    client.on("room_audio_delta", ({ delta, format }) => {
      if (this.people.aheadMs > MOST_LAG) this.people.flush();
      this.people.play("people", delta, format?.rate);
    });
    client.on("state", ({ state }) => {
      if (state === "ready" || state === "starting") return;
      for (const id of this.#open) player.finish(id); // what has arrived may still be heard
      this.#open.clear();
      this.#silenced.clear();
      this.#asked = null;
    });
    player.on("start", ({ id, at }) => {
      if (this.#asked) this.emit("latency", { responseId: id, ms: at - this.#asked.at, after: this.#asked.after });
      this.#asked = null;
    });
  }

  /** Whether there is a reply to interrupt: one that is being made, or that is still heard. */
  get isReplying() {
    return this.#open.size > 0 || this.player.isSpeaking;
  }

  /** Switch the microphone on. Raises MicrophoneError. Call it from a click. */
  async listen(onEnd) {
    this.player.unlock();
    await this.microphone.start((pcm) => {
      this.#yield();
      this.client.sendAudio(pcm, this.microphone.rate);
    }, onEnd);
  }

  /** Switch the microphone off, and let what was said be answered. */
  mute() {
    if (!this.microphone.isOn) return;
    this.microphone.stop();
    this.client.commitAudio();
  }

  /** Say it in text: over the reply that is being spoken, but in a room, which decides itself. False: not connected. */
  say(text) {
    this.player.unlock();
    if (this.isReplying && !this.#self) this.interrupt();
    const isSent = this.client.sendText(text);
    if (isSent) this.#asked = { at: performance.now(), after: "text" };
    return isSent;
  }

  /** Silence at once, and no more of this reply. */
  interrupt() {
    this.#asked = null;
    this.#silence();
    this.client.cancelResponse();
  }

  #userBegan() {
    this.#asked = null;
    if (this.player.isSpeaking && !this.player.isHeld) this.#bar /= 2; // it was too high for this voice
    this.#silence();
  }

  #userStopped() {
    this.#asked = { at: this.microphone.lastLoud || performance.now(), after: "speech" };
  }

  #silence() {
    clearTimeout(this.#holding);
    for (const id of this.#open) this.#silenced.add(id);
    this.player.flush();
  }

  /** Hold the player when somebody speaks over it. */
  #yield() {
    const { bargeIn, microphone, player } = this;
    if (player.isHeld) this.#loudest = Math.max(this.#loudest, microphone.level);
    if (!bargeIn || microphone.loudMs < bargeIn.afterMs || microphone.level <= this.#bar) return;
    if (!player.isSpeaking || player.isHeld) return;
    this.#loudest = microphone.level;
    player.hold();
    this.emit("held", microphone.level);
    this.#holding = setTimeout(() => {
      this.#bar = 2 * this.#loudest; // as loud a noise, or the reply's own echo, does not stop it again
      player.resume();
      this.emit("resumed");
    }, bargeIn.waitMs);
  }
}

// -- the two wires

function encodeJson(event) {
  return JSON.stringify(event, (_, value) => (value instanceof Uint8Array ? toBase64(value) : value));
}

/** Audio becomes bytes, as it is on the other wire. */
function decodeJson(text) {
  const event = JSON.parse(text);
  if (AUDIO_DELTAS.has(event.type)) event.delta = fromBase64(event.delta);
  return event;
}

function toBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** What a subprotocol's name may not have is percent-encoded. */
function percentEncode(text) {
  return encodeURIComponent(text).replace(/[()]/g, (char) => (char === "(" ? "%28" : "%29"));
}

/** A value as msgpack: null, booleans, numbers, strings, Uint8Array (bin), arrays and plain objects (map). */
export function encodeMsgpack(value) {
  let bytes = new Uint8Array(256);
  let view = new DataView(bytes.buffer);
  let at = 0;

  function reserve(count) {
    if (at + count <= bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * bytes.length, at + count));
    grown.set(bytes);
    bytes = grown;
    view = new DataView(bytes.buffer);
  }

  function put(tag, size = 0, write = "", number = 0) {
    reserve(1 + size);
    view.setUint8(at, tag);
    if (size > 0) view[write](at + 1, number);
    at += 1 + size;
  }

  /** A length, in the shortest of the forms that the type has; `tags` are those for 8, 16 and 32 bits. */
  function head(length, fixed, fixedMost, [tag8, tag16, tag32]) {
    if (length <= fixedMost) put(fixed | length);
    else if (tag8 && length < 0x100) put(tag8, 1, "setUint8", length);
    else if (length < 0x10000) put(tag16, 2, "setUint16", length);
    else put(tag32, 4, "setUint32", length);
  }

  function raw(data) {
    reserve(data.length);
    bytes.set(data, at);
    at += data.length;
  }

  function number(n) {
    if (!Number.isInteger(n) || n >= 2 ** 32 || n < -(2 ** 31)) put(0xcb, 8, "setFloat64", n);
    else if (n >= 0) head(n, 0, 0x7f, [0xcc, 0xcd, 0xce]);
    else if (n >= -32) put(n & 0xff);
    else put(0xd2, 4, "setInt32", n);
  }

  function write(item) {
    if (item === null || item === undefined) put(0xc0);
    else if (typeof item === "boolean") put(item ? 0xc3 : 0xc2);
    else if (typeof item === "number") number(item);
    else if (typeof item === "string") {
      const data = new TextEncoder().encode(item);
      head(data.length, 0xa0, 31, [0xd9, 0xda, 0xdb]);
      raw(data);
    } else if (item instanceof Uint8Array) {
      head(item.length, 0, -1, [0xc4, 0xc5, 0xc6]);
      raw(item);
    } else if (Array.isArray(item)) {
      head(item.length, 0x90, 15, [0, 0xdc, 0xdd]);
      item.forEach(write);
    } else if (typeof item === "object") {
      const entries = Object.entries(item).filter(([, each]) => each !== undefined);
      head(entries.length, 0x80, 15, [0, 0xde, 0xdf]);
      for (const entry of entries) entry.forEach(write);
    } else throw new TypeError(`a ${typeof item} cannot be sent as msgpack`);
  }

  write(value);
  return bytes.subarray(0, at);
}

/** The value of one msgpack message (ArrayBuffer or Uint8Array); bin becomes Uint8Array. Raises RangeError, TypeError. */
export function decodeMsgpack(data) {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  function take(count) {
    if (at + count > bytes.length) throw new RangeError("the msgpack message is cut off");
    at += count;
    return at - count;
  }

  function many(count, depth, one) {
    if (count > bytes.length - at) throw new RangeError("the msgpack message is cut off");
    return Array.from({ length: count }, () => one(depth + 1));
  }

  const string = (count) => new TextDecoder().decode(bytes.subarray(take(count), at));
  const binary = (count) => bytes.slice(take(count), at);
  const list = (count, depth) => many(count, depth, read);
  const map = (count, depth) => Object.fromEntries(many(count, depth, (d) => [read(d), read(d)]));
  const unsigned = [() => view.getUint8(take(1)), () => view.getUint16(take(2)), () => view.getUint32(take(4))];

  function read(depth) {
    if (depth > 64) throw new RangeError("the msgpack message is nested too deeply");
    const tag = view.getUint8(take(1));
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag & 15, depth);
    if (tag < 0xa0) return list(tag & 15, depth);
    if (tag < 0xc0) return string(tag & 31);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return binary(unsigned[tag - 0xc4]());
      case 0xca: return view.getFloat32(take(4));
      case 0xcb: return view.getFloat64(take(8));
      case 0xcc: case 0xcd: case 0xce: return unsigned[tag - 0xcc]();
      case 0xcf: return Number(view.getBigUint64(take(8)));
      case 0xd0: return view.getInt8(take(1));
      case 0xd1: return view.getInt16(take(2));
      case 0xd2: return view.getInt32(take(4));
      case 0xd3: return Number(view.getBigInt64(take(8)));
      case 0xd9: case 0xda: case 0xdb: return string(unsigned[tag - 0xd9]());
      case 0xdc: case 0xdd: return list(unsigned[tag - 0xdb](), depth);
      case 0xde: case 0xdf: return map(unsigned[tag - 0xdd](), depth);
      default: throw new TypeError(`msgpack of the kind 0x${tag.toString(16)} is not understood here`);
    }
  }

  const value = read(0);
  if (at !== bytes.length) throw new RangeError("something follows the msgpack message");
  return value;
}
