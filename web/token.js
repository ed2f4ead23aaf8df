// The page's token: behind the address's `#` no server sees it. It leaves the address at once, and stays in the tab.

/** @param {string} room @param {string} given */
function keep(room, given) {
  try {
    if (given) sessionStorage.setItem(`tessera.${room}`, given);
    return sessionStorage.getItem(`tessera.${room}`) ?? "";
  } catch {
    return given;
  }
}

function take() {
  const given = (new URLSearchParams(location.hash.slice(1)).get("token") ?? "").replace(/[^!-~]/g, "");
  if (given) history.replaceState(null, "", location.pathname + location.search);
  return keep(location.pathname.split("/")[2] ?? "", given);
}

const token = globalThis.location ? take() : "";
globalThis.addEventListener?.("hashchange", () => take() !== token && location.reload());

export const hasToken = () => token !== "";
/** To the page of another node. @param {string} node */
export const moveTo = (node) => location.replace(`${new URL(location.pathname + location.search, node)}#token=${token}`);
/** The address is about to name the room. */
export const keepFor = (room) => keep(room, token);
/** @returns {Record<string, string>} */
export const bearer = () => (token ? { Authorization: `Bearer ${token}` } : {});
