
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows.map((cells, index) => {
  const row = { index };
  data.columns.forEach((name, column) => { row[name] = cells[column]; });
  return row;
});
const byId = (id) => document.getElementById(id);

// ---- Words ----------------------------------------------------------------------------------------------------------

const UNKNOWN = "(unknown)";
const level = (priority) => ({ emergency: "critical", alert: "critical", critical: "critical", error: "error",
  warning: "warning", notice: "notice" })[priority.toLowerCase()] || "other";
const count = (number, noun, many = `${noun}s`) => `${number} ${number === 1 ? noun : many}`;
const short = (time) => time.slice(0, 16).replace("T", " ");
const long = (time) => time.replace("T", " ").replace("Z", " UTC");
const hour = (row) => (row.time ? Number(row.time.slice(11, 13)) : -1);
const workspace = (row) => (row.workspace && row.workspace !== "default" ? row.workspace : "");
// What makes a resource: the same address of two states is two resources.
const identities = new Map();
for (const row of rows) {
  const name = [row.account, row.state, row.workspace, row.resource].join("\n");
  if (!identities.has(name)) identities.set(name, identities.size);
  row.identity = identities.get(name);
}
const identity = (row) => row.identity;

// ---- Building -------------------------------------------------------------------------------------------------------

// Everything that comes from a record goes in as text, never as mark-up.
function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && !key.includes("-")) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== "" && child !== null));
  return node;
}
function drawing(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
// The focus stays on what stands for the same thing after a part of the page was built anew.
function rebuild(holder, nodes) {
  const focused = holder.contains(document.activeElement) ? document.activeElement.getAttribute("data-key") : null;
  holder.replaceChildren(...nodes);
  if (focused === null) return;
  const again = [...holder.querySelectorAll("[data-key]")].find((node) => node.getAttribute("data-key") === focused);
  if (again) again.focus({ preventScroll: true });
}
function say(text) {
  byId("said").textContent = text;
}

// ---- What is wanted, and the address that says so -------------------------------------------------------------------

const VIEWS = { resource: "By resource", person: "By person", list: "As a list" };
const NOTHING = { text: "", priority: "", status: "", user: "", hour: "", service: "", from: "", to: "", id: "" };
const wanted = { ...NOTHING, view: "resource" };

// Joined once: what one keystroke looks through.
const haystack = rows.map((row) => Object.values(row)
  .map((value) => (typeof value === "string" ? value : Array.isArray(value) && typeof value[0] === "string" ? value.join("\n") : ""))
  .join("\n").toLowerCase());
const mark = new Array(rows.length);

function visible() {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  const at = wanted.hour === "" ? -1 : Number(wanted.hour);
  return rows.filter((row) =>
    (!wanted.priority || row.priority === wanted.priority) &&
    (!wanted.status || row.status === wanted.status) &&
    (!wanted.user || (row.user || UNKNOWN) === wanted.user) &&
    (!wanted.service || (row.service || UNKNOWN) === wanted.service) &&
    (at < 0 || hour(row) === at) &&
    (!wanted.from || row.time >= wanted.from) && (!wanted.to || (row.time && row.time <= wanted.to)) &&
    (!wanted.id || row.id === wanted.id) &&
    words.every((word) => haystack[row.index].includes(word)));
}
function choose(changes) {
  const same = Object.entries(changes).every(([key, value]) => wanted[key] === value);
  for (const [key, value] of Object.entries(changes)) wanted[key] = same ? NOTHING[key] : value;
  draw();
}
function readAddress() {
  let given = new URLSearchParams();
  try { given = new URLSearchParams(location.hash.slice(1)); } catch { /* no filter that can be read */ }
  for (const key of Object.keys(NOTHING)) wanted[key] = given.get(key) || "";
  wanted.view = given.get("view") in VIEWS ? given.get("view") : "resource";
  byId("filter").value = wanted.text;
}
let address = 0;
function writeAddress() {
  // Browsers refuse many of these in a short time: one for a pause in typing is enough.
  clearTimeout(address);
  address = setTimeout(() => {
    const said = new URLSearchParams(Object.entries(wanted).filter(([key, value]) => value && !(key === "view" && value === "resource")));
    history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
  }, 200);
}

// ---- Counts ---------------------------------------------------------------------------------------------------------

const present = (key, order) => order.filter((name) => rows.some((row) => row[key] === name));
const priorities = present("priority", data.priorities), statuses = present("status", data.statuses);

function drawCounts(shown) {
  const tally = { priority: {}, status: {} };
  for (const row of shown) {
    tally.priority[row.priority] = (tally.priority[row.priority] || 0) + 1;
    tally.status[row.status] = (tally.status[row.status] || 0) + 1;
  }
  const button = (key, name, className) => element("button", { type: "button", className, "data-key": `${key} ${name}`,
    "aria-pressed": String(wanted[key] === name), onclick: () => choose({ [key]: name }) }, `${tally[key][name] || 0} ${name}`);
  rebuild(byId("counts"), [...priorities.map((name) => button("priority", name, level(name))),
    ...(statuses.length > 1 ? statuses.map((name) => button("status", name, `status ${name}`)) : [])]);
  byId("shown").textContent = shown.length === rows.length ? "" : `${shown.length} of ${rows.length} shown`;
}
// What is chosen beside the text, each with a button that takes it back.
function drawChosen() {
  const words = { user: wanted.user, hour: wanted.hour && `${wanted.hour}:00 UTC`, service: wanted.service,
    from: wanted.from && `${short(wanted.from)} to ${short(wanted.to)}`, id: wanted.id && `one change: ${wanted.id}` };
  const clear = { user: { user: "" }, hour: { hour: "" }, service: { service: "" }, from: { from: "", to: "" }, id: { id: "" } };
  rebuild(byId("chosen"), Object.entries(words).filter(([, text]) => text).map(([key, text]) => element("li", {},
    element("button", { type: "button", "data-key": key, "aria-label": `Take back: ${text}`,
      onclick: () => { Object.assign(wanted, clear[key]); draw(); } }, text, " ✕"))));
}

// ---- Timeline: built once, dimmed by the filter ---------------------------------------------------------------------

const MOST_DOTS = 5, GRID = rows.length > 1000 ? 24 : 8;
const marks = [];

function buildTimeline() {
  const timed = rows.filter((row) => row.time && !Number.isNaN(Date.parse(row.time)));
  if (!timed.length) return byId("timeline").replaceChildren("Nothing happened.");
  const services = [...new Set(timed.map((row) => row.service || UNKNOWN))].sort();
  const lane = new Map(services.map((service, index) => [service, index]));
  let first = Infinity, last = -Infinity;
  for (const row of timed) {
    const time = Date.parse(row.time);
    if (time < first) first = time;
    if (time > last) last = time;
  }
  const pad = Math.max((last - first) * 0.03, 60000), from = first - pad, to = last + pad;
  const width = 1100, left = 150, right = 20, step = 40, height = services.length * step + 34;
  const x = (time) => left + (time - from) / (to - from) * (width - left - right);
  const y = (service) => lane.get(service) * step + 30;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Timeline by service; arrow keys move" });
  for (let tick = 0; tick <= 5; tick++) {
    const time = from + (to - from) * tick / 5;
    const label = drawing("text", { x: x(time), y: height - 6, "text-anchor": tick === 5 ? "end" : "middle" });
    label.textContent = short(new Date(time).toISOString());
    svg.append(drawing("line", { x1: x(time), x2: x(time), y1: 6, y2: height - 22 }), label);
  }
  for (const service of services) {
    const label = drawing("text", { x: 4, y: y(service) + 4 });
    label.textContent = service.length > 20 ? `${service.slice(0, 19)}…` : service;
    svg.append(label, drawing("line", { x1: left, x2: width - right, y1: y(service), y2: y(service) }));
  }
  const places = new Map();
  for (const row of timed.sort((a, b) => (a.time < b.time ? -1 : 1))) {
    const cx = Math.round(x(Date.parse(row.time)) / GRID) * GRID, cy = y(row.service || UNKNOWN), key = `${cx} ${cy}`;
    if (!places.has(key)) places.set(key, { cx, cy, rows: [] });
    places.get(key).rows.push(row);
  }
  for (const place of places.values()) {
    // A few are a dot each, one above the other; many are one dot with their number.
    if (place.rows.length <= MOST_DOTS) place.rows.forEach((row, above) => svg.append(dot(place.cx, place.cy - above * 5, [row])));
    else svg.append(dot(place.cx, place.cy, place.rows));
  }
  svg.addEventListener("keydown", (event) => {
    const at = marks.findIndex((one) => one.node === document.activeElement);
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[event.key];
    if (at < 0 || next === undefined || !marks[next]) return;
    event.preventDefault();
    marks[at].node.setAttribute("tabindex", -1);
    marks[next].node.setAttribute("tabindex", 0);
    marks[next].node.focus();
  });
  byId("timeline").replaceChildren(svg);
}
function dot(cx, cy, group) {
  const worst = group.reduce((a, b) => (data.priorities.indexOf(b.priority) < data.priorities.indexOf(a.priority) ? b : a));
  const title = group.length === 1
    ? `${short(worst.time)} ${worst.priority}: ${worst.rule}\n${worst.resource} ${worst.path}\n${worst.user}`
    : `${count(group.length, "change")}, ${short(group[0].time)} to ${short(group.at(-1).time)}, at worst ${worst.priority}: ${worst.rule}`;
  const node = drawing("circle", { cx, cy, r: group.length === 1 ? 7 : Math.min(8 + Math.log2(group.length), 14), role: "button",
    class: level(worst.priority), tabindex: marks.length ? -1 : 0, "aria-label": title, "data-id": worst.id }, drawing("title"));
  node.firstChild.textContent = title;
  const pick = () => choose(group.length === 1 ? { id: worst.id }
    : { service: worst.service || UNKNOWN, from: group[0].time, to: group.at(-1).time });
  node.addEventListener("click", pick);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick();
  });
  for (const row of group) mark[row.index] = marks.length;
  marks.push({ node, dim: false });
  return node;
}
function dimTimeline(shown) {
  const lit = new Uint8Array(marks.length);
  for (const row of shown) if (mark[row.index] !== undefined) lit[mark[row.index]] = 1;
  marks.forEach((one, index) => {
    const dim = !lit[index];
    if (dim !== one.dim) one.node.classList.toggle("dim", one.dim = dim);
  });
}

// ---- Heatmap --------------------------------------------------------------------------------------------------------

const MOST_PEOPLE = 12;
let everybody = false;

function drawHeatmap(shown) {
  const people = new Map();
  for (const row of shown) {
    const name = row.user || UNKNOWN;
    if (!people.has(name)) people.set(name, { total: 0, hours: new Uint32Array(24) });
    const person = people.get(name);
    person.total++;
    if (hour(row) >= 0 && hour(row) < 24) person.hours[hour(row)]++;
  }
  const ordered = [...people].sort((a, b) => b[1].total - a[1].total);
  const listed = everybody ? ordered : ordered.slice(0, MOST_PEOPLE);
  const most = listed.reduce((found, [, person]) => Math.max(found, ...person.hours), 1);
  const clock = [...Array(24).keys()];
  const head = element("tr", {}, element("th"), ...clock.map((h) => element("th", { scope: "col" }, String(h).padStart(2, "0"))));
  const body = listed.map(([user, person]) => element("tr", {},
    element("th", { scope: "row", title: user }, element("button", { type: "button", "data-key": `user ${user}`,
      "aria-pressed": String(wanted.user === user && wanted.hour === ""), onclick: () => choose({ user, hour: "" }) }, user)),
    ...clock.map((h) => (person.hours[h] ? element("td", { "data-hour": String(h).padStart(2, "0"), className: `heat${Math.ceil(person.hours[h] / most * 4)}` },
      element("button", { type: "button", "data-key": `${h} ${user}`, title: `${user}, ${h}:00 UTC: ${count(person.hours[h], "change")}`,
        "aria-pressed": String(wanted.user === user && wanted.hour === String(h)),
        onclick: () => choose({ user, hour: String(h) }) }, String(person.hours[h]))) : element("td", { "data-hour": String(h).padStart(2, "0") })))));
  const rest = ordered.length - listed.length;
  rebuild(byId("heatmap"), [element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)),
    ...(rest ? [element("button", { type: "button", "data-key": "rest", onclick: () => { everybody = true; draw(); } },
      `Show ${rest} more`)] : [])]);
}

// ---- One change -----------------------------------------------------------------------------------------------------

const MOST_PARTS = 100;

function pretty(value) {
  try {
    const parsed = JSON.parse(value);
    if (parsed && typeof parsed === "object") return JSON.stringify(parsed, null, 1);
  } catch { /* a plain string */ }
  return value;
}
// Two texts, with what differs between them marked.
function marked(one, other) {
  const least = Math.min(one.length, other.length);
  let start = 0, end = 0;
  while (start < least && one[start] === other[start]) start++;
  while (end < least - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  if (start + end < 3) return [one];
  return [one.slice(0, start), element("mark", {}, one.slice(start, one.length - end)), one.slice(one.length - end)];
}
function side(className, value, other) {
  if (value === null || value === "") return element("pre", { className }, value === null ? "(none)" : '""');
  const text = pretty(value);
  return element("pre", { className }, ...(text === value && other ? marked(value, other) : [text]));
}
function part({ path, old, new: now }) {
  const line = element("div", { className: old !== null && now !== null ? "change" : "change one" },
    old === null ? "" : side("old", old, now), element("span", { className: "arrow" }, old === null ? "added" : now === null ? "removed" : "→"),
    now === null ? "" : side("new", now, old));
  return path ? element("div", { className: "part" }, element("code", {}, path), line) : line;
}
function change(row) {
  if (row.kind === "deleted") return [element("p", {}, "Deleted.")];
  if (row.kind === "unmanaged") return [element("p", {}, `Created outside Terraform: ${row.type}`)];
  const found = row.parts.slice(0, MOST_PARTS).map(part);
  if (row.parts.length > MOST_PARTS) found.push(element("p", {}, `… and ${row.parts.length - MOST_PARTS} more; see the whole values.`));
  if (row.parts.some((one) => one.path)) {
    const whole = element("details", { className: "whole" }, element("summary", {}, "Whole values"));
    whole.addEventListener("toggle", () => {
      if (whole.open && whole.children.length === 1) whole.append(part({ path: "", old: row.old || null, new: row.new || null }));
    });
    found.push(whole);
  }
  return found.length ? found : [element("p", {}, "What exactly changed, the record does not say.")];
}
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Opened from disk, some browsers have no clipboard for pages.
    const focused = document.activeElement, area = element("textarea", { value: text, className: "offscreen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    focused.focus({ preventScroll: true });
  }
  say(`Copied: ${what}`);
}
const copier = (key, text, what) => element("button", { type: "button", className: "copy", "data-key": key,
  "aria-label": `Copy the ${what}`, title: `Copy the ${what}`, onclick: () => copy(text, what) }, "Copy");

function card(row) {
  const details = [row.user_type, row.console === "true" ? "console" : "", row.mfa === "false" ? "no MFA" : "", row.source_ip]
    .filter(Boolean).join(", ");
  const ended = row.status === "resolved" ? element("p", { className: "ended" }, element("strong", {}, "Resolved"),
    row.resolution ? ` (${row.resolution})` : "", row.ended ? ` at ${long(row.ended)}` : "",
    row.duration ? `, open for ${row.duration}` : "", row.ended_by ? `, by ${row.ended_by}` : "") : "";
  const small = [row.place, ...row.tags].filter(Boolean).join(" · ");
  return element("article", { className: row.status, "aria-label": `${row.priority}: ${row.rule}` },
    element("h4", {}, element("span", { className: level(row.priority) }, row.priority), `: ${row.rule}`,
      row.status === "open" ? "" : element("span", { className: "badge" }, row.status)),
    row.path ? element("p", {}, element("code", {}, row.path), row.confidence === "inferred" ? " (inferred)" : "") : "",
    ...change(row),
    element("p", {}, element("strong", {}, row.user || "Somebody"), details ? ` (${details})` : "", row.call ? ` with ${row.call}` : "",
      row.time ? ` at ${long(row.time)}` : ""),
    ended,
    row.hint ? element("p", { className: "hint" }, row.hint, " ", copier(`hint ${row.id}`, row.hint, "hint")) : "",
    element("p", { className: "small" }, small ? `${small} · ` : "",
      row.link.startsWith("https://") ? element("a", { href: row.link, rel: "noreferrer" }, "CloudTrail record") : "",
      row.link.startsWith("https://") ? " · " : "",
      element("a", { href: `#${new URLSearchParams({ id: row.id })}`, "data-key": `link ${row.id}` }, "Link to this change")));
}

// ---- The list: a piece of it is built when it comes into view, and taken down when it is far away --------------------

const PIECE = 20, FIRST = 20, MOST_OPEN = 20;
const unfolded = new Map();
const waiting = new Map();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) fill(entry.target);
    else empty(entry.target);
  }
}, { rootMargin: "1200px" });

function fill(piece) {
  if (piece.childElementCount) return;
  piece.replaceChildren(...sections(waiting.get(piece)));
  piece.style.minHeight = "";
}
function empty(piece) {
  if (!piece.childElementCount || printing || piece.contains(document.activeElement)) return;
  piece.style.minHeight = `${piece.offsetHeight}px`;
  piece.replaceChildren();
}
// The rows of a piece, those of one resource in one section.
function sections(list) {
  const found = [];
  let holder = null, last = null;
  for (const row of list) {
    const key = identity(row);
    if (key !== last) {
      const where = [row.region, row.service, workspace(row) && `workspace ${workspace(row)}`, row.state].filter(Boolean).join(" · ");
      holder = element("section", { className: "resource" }, element("h3", {}, element("code", {}, row.resource || UNKNOWN), " ",
        copier(`address ${row.id}`, row.resource, "address")), element("p", { className: "small" }, where));
      found.push(holder);
      last = key;
    }
    holder.append(card(row));
  }
  return found;
}
const KEYS = { resource: (row) => row.account || UNKNOWN, person: (row) => row.user || UNKNOWN, list: () => "" };

function grouped(list, key) {
  const groups = new Map();
  for (const row of list) {
    const name = key(row);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return groups;
}
function pieces(list) {
  const found = [];
  for (let at = 0; at < list.length; at += PIECE) {
    const piece = element("div", { className: "piece" });
    const own = list.slice(at, at + PIECE);
    piece.style.minHeight = `${own.length * 240}px`;
    waiting.set(piece, own);
    found.push(piece);
  }
  return found;
}
function group(name, list, index) {
  // The rows come with what is open and severe first, and so do the resources.
  const ordered = wanted.view === "list" ? list : [...grouped(list, identity).values()].flat();
  const key = `${wanted.view} ${name}`;
  const folding = element("details", { className: "group" }, element("summary",
    { "data-key": key, onclick: () => unfolded.set(key, !folding.open) }, element("code", {}, name),
    element("span", { className: "tally" }, ` ${count(list.length, "change")}`)));
  const open = () => {
    if (folding.children.length === 1) {
      const made = pieces(ordered);
      folding.append(...made);
      made.forEach((piece) => watcher.observe(piece));
    }
  };
  folding.unfold = open;
  if (unfolded.has(key) ? unfolded.get(key) : index < MOST_OPEN) {
    folding.open = true;
    open();
  }
  folding.addEventListener("toggle", () => {
    if (folding.open) open();
  });
  return folding;
}
function drawDetails(shown) {
  watcher.disconnect();
  waiting.clear();
  const holder = byId("details");
  if (!shown.length) return rebuild(holder, ["Nothing to show."]);
  let nodes;
  if (wanted.view === "list") nodes = pieces(shown);
  else nodes = [...grouped(shown, KEYS[wanted.view])].map(([name, list], index) => group(name, list, index));
  // What is seen first is there at once.
  let built = 0;
  for (const [piece, list] of waiting) {
    if (built >= FIRST) break;
    fill(piece);
    built += list.length;
  }
  rebuild(holder, nodes);
  if (wanted.view === "list") nodes.forEach((piece) => watcher.observe(piece));
}
function drawViews() {
  rebuild(byId("views"), Object.entries(VIEWS).map(([view, name]) => element("button", { type: "button", "data-key": view,
    "aria-pressed": String(wanted.view === view), onclick: () => { wanted.view = view; draw(); } }, name)));
}

// ---- All of it ------------------------------------------------------------------------------------------------------

function draw() {
  const shown = visible();
  drawCounts(shown);
  drawChosen();
  dimTimeline(shown);
  drawHeatmap(shown);
  drawViews();
  drawDetails(shown);
  writeAddress();
}

// On paper everything stands, whatever is folded or out of view on the screen.
let printing = false;
window.addEventListener("beforeprint", () => {
  printing = true;
  everybody = true;
  drawHeatmap(visible());
  document.querySelectorAll("details.group").forEach((one) => { one.open = true; one.unfold(); });
  for (const piece of waiting.keys()) fill(piece);
});
window.addEventListener("afterprint", () => {
  printing = false;
  everybody = false;
  draw();
});

const times = rows.map((row) => row.time).filter(Boolean).sort();
byId("summary").textContent = `${count(rows.length, "change")} to ${count(identities.size, "resource")} by ` +
  count(new Set(rows.map((row) => row.user || UNKNOWN)).size, "identity", "identities") +
  (times.length ? `, ${short(times[0])} to ${short(times.at(-1))} UTC` : "");
byId("about").textContent = data.about;
byId("filter").addEventListener("input", (event) => { wanted.text = event.target.value; draw(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("reset", () => { Object.assign(wanted, NOTHING); draw(); });
window.addEventListener("hashchange", () => { readAddress(); draw(); });
buildTimeline();
readAddress();
draw();
