// Every word that the page's scripts say, each once: a second language is a second table. What stands in index.html is
// the first language's, and is replaced from the same table where `data-words` names an entry.

/** @typedef {Record<string, string | number>} Values */

/** @type {Record<string, string>} */
const EN = {
  "title.start": "Start a call",
  "title.join": "Join {room}",
  "title.watch": "Watch {room}",
  "lead.start": "Everyone’s camera and voice, laid into one picture and one sound.",
  "lead.watch": "You see and hear everyone; nobody sees or hears you.",
  "lead.empty": "Nobody is here yet. You will be the first.",
  "lead.one": "{name} is here.",
  "lead.two": "{name} and {other} are here.",
  "lead.many": "{name}, {other} and {more} more are here.",
  "join": "Join",
  "join.watch": "Watch",
  "join.again": "Join again",
  "join.try": "Try again",
  "joining": "Joining…",
  "waits": "Waiting…",
  "no.rtc": "This browser has no WebRTC, so it cannot take part in calls. Use a current Chrome, Edge, Firefox or Safari.",
  "no.receive": "This browser can show neither AV1 nor H.264 video. Use a current Chrome, Edge, Firefox or Safari.",
  "no.send": "This browser can send none of AV1, VP9, H.264 and VP8, so you join without a camera.",
  "bad.room": "A room has 1 to 64 letters, digits, or - _ . ~",
  "failed": "Joining failed: {why}",
  "preview.asking": "Asking for your camera…",
  "preview.off": "Your camera is off",
  "preview.none": "You join without a camera",
  "preview.watch": "No camera, no microphone: you only watch.",
  "recorded.now": "This call is being recorded. Whoever joins is seen and heard in the recording, unless they say no below.",
  "device.on": "{device} is on",
  "device.off": "{device} is off",
  "microphone": "Microphone",
  "camera": "Camera",
  "device.unnamed": "{device} {number}",
  "speaker": "Speaker",
  "devices.insecure": "Browsers give camera and microphone only over HTTPS or on localhost. You can still join to see and hear, or ask whoever runs this node to turn HTTPS on.",
  "devices.missing": "This browser has no access to cameras and microphones. You can still join to see and hear.",
  "device.kept": "This browser keeps the {device} from this page. Allow it beside the address bar, or join without.",
  "device.none": "No {device} was found. Plug one in, or join without.",
  "device.taken": "The {device} is in use by another program. Close it there, or join without.",
  "device.failed": "The {device} cannot be used ({why}).",
  "thing.camera": "camera",
  "thing.microphone": "microphone",
  "thing.both": "camera and microphone",
  "thing.screen": "screen",
  "thing.speaker": "speaker",
  "wait.connecting": "Connecting…",
  "wait.picture": "Waiting for the picture…",
  "wait.back": "The connection was lost. Coming back…",
  "wait.offline": "Your network is gone. This page keeps trying.",
  "wait.silent": "The node does not answer. This page keeps trying.",
  "wait.refused": "{title}. This page keeps trying.",
  "wait.gone": "There was no way back for ten minutes. This page has stopped trying.",
  "try.now": "Try now",
  "back": "You are back.",
  "upkeep": "This node goes down for upkeep at {time}, and the call ends then.",
  "upkeep.short": "Ends at {time}",
  "upkeep.off": "The node stays up: the call goes on.",
  "joined": "{name} joined.",
  "left": "{name} left.",
  "away": "{name} lost the connection.",
  "returned": "{name} is back.",
  "removed": "A host removed you from the call.",
  "record.began": "This call is being recorded.",
  "record.ended": "The recording has stopped.",
  "pushed": "This call is shown live at {to}.",
  "pushed.short": "Live",
  "record.start": "Record the call",
  "record.stop": "Stop recording",
  "record.refused": "Recordings show a silhouette in your place, and leave out your voice.",
  "share.start": "Share your screen",
  "share.stop": "Stop sharing your screen",
  "hand.raise": "Raise your hand",
  "hand.lower": "Lower your hand",
  "hand.raised": "{name} raises a hand.",
  "hushed": "A host has muted you. Raise your hand to ask for the word.",
  "push": "Hold Space to be heard.",
  "entry": "You are muted on entry. Press the microphone to be heard.",
  "link.copied": "Link copied. Send it to whoever should come.",
  "link.shown": "The link to this room: {link}",
  "people.count": "People ({count})",
  "you": "(you)",
  "mark.screen": "shares a screen",
  "mark.camera": "no camera",
  "mark.muted": "muted",
  "mark.hand": "hand raised",
  "mark.away": "connection lost",
  "host.for": "Host actions for {name}",
  "host.mute": "Mute for everyone",
  "host.unmute": "Let them be heard",
  "host.lower": "Lower the hand",
  "host.remove": "Remove from the call",
  "host.done": "Done.",
  "chat.everyone": "Everyone",
  "chat.to": "to {name}",
  "chat.toYou": "to you alone",
  "chat.unread": "Chat, {count} unread",
  "chat.none": "Chat",
  "chat.said": "{name} writes: {text}",
  "chat.later": "It is sent as soon as you are back.",
  "chat.empty": "Nothing written yet. What is written here is gone with the call.",
  "reacts": "{name}: {reaction}",
  "thumbs_up": "Thumbs up",
  "heart": "Heart",
  "laugh": "Laughing",
  "clap": "Applause",
  "party": "Party",
  "surprise": "Surprised",
  "grid": "Grid",
  "speaker.layout": "Speaker",
  "presentation": "Presentation",
  "pip": "Picture in picture",
  "single": "One alone",
  "page.of": "Page {page} of {pages}",
  "quality.good": "Good connection",
  "quality.fair": "Fair connection",
  "quality.weak": "Weak connection",
  "quality.lost": "Reconnecting",
  "quality.why.loss": "some of what is sent gets lost",
  "quality.why.delay": "words arrive late",
  "quality.why.freeze": "the picture stands still at times",
  "quality.why.uplink": "your uplink carries less than your camera could send",
  "node.silent": "The node does not answer",
  "node.silent.do": "Check your network; the page keeps trying while you are in a call.",
  "node.said": "The node answered {status}",
  "node.late": "The node did not answer",
  "node.again": "Try again.",
  "node.soon": "The connection is not ready",
  "node.moment": "Try again in a moment.",
};

const TABLES = { en: EN };
/** The first of the reader's languages that there is a table of. */
export const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in TABLES) ?? "en";

/**
 * One entry in the reader's language, `{name}` replaced by its value.
 * @param {string} key
 * @param {Values} [values]
 */
export function say(key, values = {}) {
  const text = TABLES[language][key] ?? EN[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Hours and minutes as the reader writes them. */
export const clock = new Intl.DateTimeFormat(navigator.language, { hour: "2-digit", minute: "2-digit" });

/** Puts the reader's words in the place of those that the page came with. */
export function translate(root = document) {
  document.documentElement.lang = language;
  if (language === "en") return;
  for (const element of root.querySelectorAll("[data-words]")) element.textContent = say(element.getAttribute("data-words"));
}
