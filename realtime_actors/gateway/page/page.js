/** The gateway's page: shows a Conversation. What talks to the gateway is in realtime.js, pictures in pictures.js. */

import { Conversation, MicrophoneError, RealtimeClient } from "./realtime.js";
import { Connection, offerProviders, problem } from "./connection.js";
import { EventPanel } from "./event-panel.js";
import { openCamera, readPicture, takePicture } from "./pictures.js";
import { Room, askForName, roomInAddress, roomOptions } from "./room.js";
import { Transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);
/** Why replies fail when the agent loses its model for a while. */
const CONNECTION_REASONS = new Set(["connection_lost", "session_expired", "model_silent"]);
const TOKEN_KEY = "realtime-actors.token"; // in this tab's sessionStorage, and nowhere else

const place = roomInAddress();
if (place) place.name ||= await askForName(place.room);

const client = new RealtimeClient({
  url: new URL(".", location.origin + location.pathname).href,
  token: sessionStorage.getItem(TOKEN_KEY) ?? "",
  ...(place ? roomOptions(place.room, place.name) : {}),
});
const conversation = new Conversation({ client });
const { microphone, player } = conversation;
const transcript = new Transcript($("log"), $("conversation"), $("announcements"));
const events = new EventPanel(client);
let agentName = "";
let isSpoken = false; // the agent speaks: words of which there is no sound are words that nobody has heard

// -- the connection

const connection = new Connection({ client, transcript, onchange: () => showActivity(), askForToken });
const room = place && new Room({ client, player, transcript, self: place.name, onchange: () => showActivity(), said });
if (room) {
  $("agent").textContent = document.title = place.room;
  $("welcome").querySelector("h2").textContent = place.room;
  $("welcome-words").textContent = "Everybody here hears what you say, and reads what you type. Speak over an agent to interrupt it.";
  $("examples").hidden = true;
  connection.isRoom = true;
  connection.anewWords = "You are in the room again.";
  connection.resumedWords = "You are back in the room.";
  connection.refusalWords[4409] = `${place.name} is in this room already: close that page, or come by another name.`;
} else {
  offerProviders((name) => {
    client.config = { ...client.config, model_provider: name };
    connection.startAnew();
  });
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
  problem.hide();
  client.connect();
};

// -- what is said

client.on("agent_ready", ({ agent_name }) => {
  if (room) return;
  agentName = agent_name || "Agent";
  $("agent").textContent = agentName;
  document.title = agentName;
});
client.on("agent_input_started", ({ item_id }) => said(transcript.user(item_id)));
client.on("agent_input_transcription_delta", ({ item_id, delta }) => said(transcript.user(item_id).append(delta)));
client.on("agent_input_transcription_done", ({ item_id, transcript: words }) =>
  said(transcript.user(item_id).complete(words || "(not understood)")),
);
client.on("agent_response_audio_transcript_delta", (event) => said(agentTurn(event).append(event.delta, event.item_id)));
client.on("agent_response_audio_transcript_done", (event) => {
  if (event.transcript) agentTurn(event).whole(event.transcript, event.item_id);
});
client.on("agent_response_audio_delta", (event) => {
  agentTurn(event).hasSound = isSpoken = true;
});
client.on("agent_response_created", () => showActivity());
client.on("agent_response_done", ({ response_id, metadata }) => {
  const turn = transcript.find(response_id);
  if (turn) ended(turn, metadata ?? {});
  showActivity();
});
client.on("agent_response_tool_use_done", ({ tool_use, agent_name }) => said(transcript.tool(tool_use, room && agent_name)));
client.on("agent_tool_approval_requested", ({ tool_use, timeout, agent_name }) => {
  transcript.toolApproval(tool_use, room && agent_name, timeout, (approved, reason) => {
    const isSent = client.sendToolApproval(tool_use.id, approved, reason);
    if (!isSent) problem.show("There is no connection: your answer was not sent.");
    return isSent;
  });
});
client.on("agent_response_tool_progress", (progress) => transcript.toolProgress(progress));
client.on("agent_response_tool_result", ({ tool_result }) => transcript.toolResult(tool_result));
client.on("invalid", (error) => transcript.note(`A message could not be read: ${error.message}`, "error"));
client.on("dropped", (count) => {
  if (count % 50 === 1) problem.show("The network is too slow: some of your speech is not sent.");
});
conversation.on("latency", ({ responseId, ms, after }) => {
  const since = after === "speech" ? "the end of your speech" : "sending";
  agentTurn({ response_id: responseId }).fact(`after ${(ms / 1000).toFixed(2)} s`, { title: `From ${since} to the first sound` });
  events.latency(ms);
});
player.on("start", ({ id }) => transcript.find(id)?.speaking(true));
player.on("stop", ({ id, flushed, items }) => {
  const turn = transcript.find(id);
  turn?.speaking(false);
  if (flushed) turn?.cut(items); // in a room its line may have said before that it was heard
  showActivity();
});
player.on("speaking", showActivity);

function agentTurn({ response_id, agent_name }) {
  return transcript.agent(response_id, agent_name || agentName);
}

function ended(turn, { status, reason }) {
  turn.complete();
  if (status === "cancelled" && isSpoken && !turn.hasSound) turn.cut([]);
  if (status === "cancelled") turn.interrupted();
  if (status === "incomplete") turn.broken("cut short");
  if (status === "failed") turn.broken(CONNECTION_REASONS.has(reason) ? "cut short: the model was lost" : "failed");
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
    problem.show("There is no connection: your message was not sent. It is kept here.");
    return false;
  }
  if (!room) said(transcript.user(`text-${crypto.getRandomValues(new Uint32Array(1))}`).complete(words));
  return true; // the room says it to all
}

$("microphone").onclick = async () => {
  if (microphone.isOn) {
    conversation.mute();
    showMicrophone();
    return;
  }
  problem.hide();
  $("microphone").setAttribute("aria-busy", "true");
  try {
    await conversation.listen(() => {
      problem.show("The microphone is gone. You can type instead.");
      showMicrophone();
    });
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    problem.show(`${error.message} You can type instead.`);
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
  if (conversation.isReplying || room?.hasHolder) conversation.interrupt();
  showActivity();
}

$("unlock").onclick = unlock;
for (const gesture of ["pointerdown", "keydown"]) document.addEventListener(gesture, unlock);

/** Browsers hold sound back until the user does something. */
async function unlock() {
  const locked = [player, conversation.people].filter((each) => each.isLocked);
  if (locked.length === 0) return;
  await Promise.all(locked.map((each) => each.unlock()));
  showActivity();
}

function showActivity() {
  $("interrupt").setAttribute("aria-disabled", String(!(conversation.isReplying || room?.hasHolder)));
  $("unlock").hidden = !((player.isLocked && player.isSpeaking) || conversation.people.isLocked);
  const heard = room ? room.activity : player.isSpeaking ? `${agentName || "The agent"} is speaking` : "";
  $("activity").textContent = heard || microphoneWords();
}

function microphoneWords() {
  if (!microphone.isOn) return "Microphone off";
  if (connection.isWhole) return "Listening";
  return connection.isKept ? "Listening: it is kept for the model" : "Not heard: there is no connection";
}

$("problem").querySelector("button").onclick = () => {
  problem.hide();
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
    problem.show(error.message);
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
    problem.show(error.message);
  }
}

function showProblemIfAny() {
  if (client.state === "ready") problem.hide();
}

/** For the browser's console, and for tests. */
globalThis.realtime = { client, conversation, microphone, player, room };
client.connect();
