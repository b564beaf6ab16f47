/** The gateway's page: shows a Conversation. What talks to the gateway is in realtime.js, pictures in pictures.js. */

import { Conversation, MicrophoneError, RealtimeClient } from "./realtime.js";
import { EventPanel } from "./event-panel.js";
import { openCamera, readPicture, takePicture } from "./pictures.js";
import { Transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);
const TOKEN_KEY = "realtime-actors.token"; // in this tab's sessionStorage, and nowhere else

const client = new RealtimeClient({
  url: new URL(".", document.baseURI).href,
  token: sessionStorage.getItem(TOKEN_KEY) ?? "",
});
const conversation = new Conversation({ client });
const { microphone, player } = conversation;
const transcript = new Transcript($("log"), $("conversation"), $("announcements"));
const events = new EventPanel(client);
let agentName = "";

// -- the connection

const STATE_WORDS = {
  idle: "Not connected",
  connecting: "Connecting …",
  starting: "Getting ready …",
  ready: "Ready",
  ended: "Session ended",
  waiting: "Connection lost",
  refused: "Refused",
};
const END_WORDS = {
  server_stopped: "The gateway is being stopped.",
  agent_ended: "The agent has ended.",
  client_ended: "The session was ended.",
};
const REFUSAL_WORDS = {
  4401: "The gateway wants a token.",
  4409: "Another frontend has this session: close that one, then connect again.",
};
let wasReady = false;

client.on("state", ({ state, code, reason }) => {
  $("connection").dataset.state = state;
  $("connection-words").textContent = STATE_WORDS[state];
  $("connect").hidden = !["waiting", "refused", "ended", "idle"].includes(state);
  $("connect").textContent = state === "ended" ? "Start again" : "Connect";
  if (state === "ready" && wasReady) transcript.note("Connected again. The agent is a new one and does not remember.");
  if (state === "ready") {
    wasReady = true;
    hideProblem();
  }
  if (state === "waiting") {
    transcript.close();
    showProblem(reason ? `The connection is lost (${reason}). Trying again.` : "The connection is lost. Trying again.");
  }
  if (state === "ended") {
    transcript.close();
    if (END_WORDS[reason]) transcript.note(END_WORDS[reason]);
  }
  if (state === "refused") {
    showProblem(REFUSAL_WORDS[code] ?? `The gateway has refused the connection: ${reason || `code ${code}`}.`);
    if (code === 4401) askForToken();
  }
  showActivity();
});

$("connect").onclick = () => (client.state === "ended" ? client.createSession() : client.connect());
globalThis.addEventListener("online", () => client.state === "waiting" && client.connect());

/** Where the gateway has models of several providers, one may be chosen: the session begins anew with it. */
async function offerProviders() {
  const answer = await fetch("healthz").catch(() => null);
  const { providers = [] } = answer?.ok ? await answer.json() : {};
  const select = $("provider");
  select.replaceChildren(...providers.map((name) => new Option(name)));
  select.hidden = providers.length < 2;
  select.onchange = () => {
    client.config = { ...client.config, model_provider: select.value };
    wasReady = false;
    client.connect();
  };
}

function askForToken() {
  const isRetry = client.token !== "";
  $("token-words").textContent = isRetry
    ? "This token was not accepted. Try another; it is kept in this tab only."
    : "This gateway lets in who knows its token. It is kept in this tab only.";
  sessionStorage.removeItem(TOKEN_KEY);
  $("token").value = "";
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

$("token-dialog").querySelector("form").onsubmit = (submitted) => {
  submitted.preventDefault();
  client.token = $("token").value;
  $("token").value = "";
  sessionStorage.setItem(TOKEN_KEY, client.token);
  $("token-dialog").close();
  hideProblem();
  client.connect();
};

// -- what is said

client.on("agent_ready", ({ agent_name }) => {
  agentName = agent_name || "Agent";
  $("agent").textContent = agentName;
  document.title = agentName;
});
client.on("agent_input_started", ({ item_id }) => said(transcript.user(item_id)));
client.on("agent_input_transcription_delta", ({ item_id, delta }) => said(transcript.user(item_id).append(delta)));
client.on("agent_input_transcription_done", ({ item_id, transcript: words }) =>
  said(transcript.user(item_id).complete(words || "(not understood)")),
);
client.on("agent_response_audio_transcript_delta", (event) => said(agentTurn(event).append(event.delta)));
client.on("agent_response_audio_transcript_done", (event) => {
  if (event.transcript) agentTurn(event).complete(event.transcript);
});
client.on("agent_response_audio_delta", (event) => agentTurn(event));
client.on("agent_response_created", () => showActivity());
client.on("agent_response_done", ({ response_id, metadata }) => {
  const turn = transcript.find(response_id);
  turn?.complete();
  if (metadata?.status === "cancelled") turn?.interrupted();
  if (metadata?.status === "incomplete") turn?.fact("cut short");
  if (metadata?.status === "failed") turn?.fact("failed");
  showActivity();
});
client.on("agent_response_tool_use_done", ({ tool_use }) => said(transcript.tool(tool_use)));
client.on("agent_tool_approval_requested", ({ tool_use, timeout }) => {
  transcript.toolApproval(tool_use, timeout, (approved) => {
    const isSent = client.sendToolApproval(tool_use.id, approved);
    if (!isSent) showProblem("There is no connection: your answer was not sent.");
    return isSent;
  });
});
client.on("agent_response_tool_progress", (progress) => transcript.toolProgress(progress));
client.on("agent_response_tool_result", ({ tool_result }) => transcript.toolResult(tool_result));
client.on("server_session_updated", ({ metadata }) => {
  if (metadata?.connection !== "restored") return;
  const memory = {
    none: " It does not remember what was said before.",
    partial: " It may not remember all that was said before.",
  }[metadata.state_restored] ?? "";
  transcript.note(`The model is connected again.${memory}`);
});
client.on("agent_error", ({ message, code }) => {
  transcript.note(message || `An error without words: ${code || "no code"}.`, "error");
});
client.on("invalid", (error) => transcript.note(`A message could not be read: ${error.message}`, "error"));
client.on("dropped", (count) => {
  if (count % 50 === 1) showProblem("The network is too slow: some of your speech is not sent.");
});
conversation.on("latency", ({ responseId, ms, after }) => {
  const since = after === "speech" ? "the end of your speech" : "sending";
  agentTurn({ response_id: responseId }).fact(`after ${(ms / 1000).toFixed(2)} s`, `From ${since} to the first sound`);
  events.latency(ms);
});
player.on("start", ({ id }) => transcript.find(id)?.speaking(true));
player.on("stop", ({ id, playedMs, flushed }) => {
  const turn = transcript.find(id);
  turn?.speaking(false);
  if (flushed) turn?.interrupted(playedMs);
  showActivity();
});
player.on("speaking", showActivity);

function agentTurn({ response_id, agent_name }) {
  return transcript.agent(response_id, agent_name || agentName);
}

/** There is a conversation now: the welcome goes. */
function said() {
  $("welcome").hidden = true;
}

// -- what one does

$("say").onsubmit = (submitted) => {
  submitted.preventDefault();
  const words = $("text").value.trim();
  if (words && sayText(words)) $("text").value = "";
};
for (const example of $("examples").querySelectorAll("button")) {
  example.onclick = () => {
    if (sayText(example.textContent)) $("text").focus();
  };
}

function sayText(words) {
  if (!conversation.say(words)) {
    showProblem("There is no connection: your message was not sent. It is kept here.");
    return false;
  }
  said(transcript.user(`text-${crypto.getRandomValues(new Uint32Array(1))}`).complete(words));
  return true;
}

$("microphone").onclick = async () => {
  if (microphone.isOn) {
    conversation.mute();
    showMicrophone();
    return;
  }
  hideProblem();
  $("microphone").setAttribute("aria-busy", "true");
  try {
    await conversation.listen(() => {
      showProblem("The microphone is gone. You can type instead.");
      showMicrophone();
    });
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    showProblem(`${error.message} You can type instead.`);
  } finally {
    $("microphone").removeAttribute("aria-busy");
    showMicrophone();
  }
};

function showMicrophone() {
  $("microphone").setAttribute("aria-pressed", String(microphone.isOn));
  if (microphone.isOn) requestAnimationFrame(showLevel);
  showActivity();
}

function showLevel() {
  const level = microphone.isOn ? Math.min(1, Math.sqrt(microphone.level * 3)) : 0;
  $("microphone").style.setProperty("--level", level.toFixed(2));
  if (microphone.isOn) requestAnimationFrame(showLevel);
}

$("interrupt").onclick = interrupt;
document.addEventListener("keydown", (pressed) => {
  if (pressed.key === "Escape" && !document.querySelector("dialog[open]")) interrupt();
});

function interrupt() {
  if (conversation.isReplying) conversation.interrupt();
  showActivity();
}

$("unlock").onclick = () => player.unlock();
for (const gesture of ["pointerdown", "keydown"]) {
  document.addEventListener(gesture, () => player.isLocked && player.unlock().then(showActivity));
}

function showActivity() {
  $("interrupt").setAttribute("aria-disabled", String(!conversation.isReplying));
  $("unlock").hidden = !(player.isLocked && player.isSpeaking);
  const microphoneWords = microphone.isOn ? "Listening" : "Microphone off";
  $("activity").textContent = player.isSpeaking ? `${agentName || "The agent"} is speaking` : microphoneWords;
}

function showProblem(words) {
  const shown = $("problem").querySelector("p");
  if ($("problem").hidden || shown.textContent !== words) shown.textContent = words; // an alert is read out when it is set
  $("problem").hidden = false;
}

function hideProblem() {
  $("problem").hidden = true;
}

$("problem").querySelector("button").onclick = () => {
  hideProblem();
  $("text").focus();
};

// -- pictures

$("picture").onclick = () => $("picture-file").click();
$("picture-file").onchange = async () => {
  const [file] = $("picture-file").files;
  $("picture-file").value = "";
  if (file) await showPicture(readPicture(file));
};
$("camera").onclick = async () => {
  try {
    await openCamera($("viewfinder"));
    $("camera-dialog").showModal();
  } catch (error) {
    showProblem(error.message);
  }
};
$("camera-dialog").querySelector("form").onsubmit = async (submitted) => {
  submitted.preventDefault();
  const picture = takePicture($("viewfinder"));
  await showPicture(picture);
  $("camera-dialog").close();
};
$("camera-dialog").onclose = () => {
  for (const track of $("viewfinder").srcObject?.getTracks() ?? []) track.stop();
  $("viewfinder").srcObject = null;
};
for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.onclick = () => button.closest("dialog").close();
}

async function showPicture(promise) {
  try {
    const jpeg = await promise;
    if (!client.sendImage(jpeg)) throw new Error("There is no connection: the picture was not sent.");
    said(transcript.picture(jpeg));
    showProblemIfAny();
  } catch (error) {
    showProblem(error.message);
  }
}

function showProblemIfAny() {
  if (client.state === "ready") hideProblem();
}

/** For the browser's console, and for tests. */
globalThis.realtime = { client, conversation, microphone, player };
client.connect();
offerProviders();
