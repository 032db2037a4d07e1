
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const wanted = { text: "", priority: "", user: "", hour: -1, id: "" };
const byId = (id) => document.getElementById(id);

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
const level = (priority) => ({ emergency: "critical", alert: "critical", critical: "critical", error: "error",
  warning: "warning", notice: "notice" })[priority.toLowerCase()] || "other";
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const short = (time) => time.slice(0, 16).replace("T", " ");
const hour = (row) => (row.time ? Number(row.time.slice(11, 13)) : -1);
function grouped(list, key) {
  const groups = new Map();
  for (const row of list) {
    const name = key(row) || "(unknown)";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return groups;
}
const haystack = new Map(rows.map((row) => [row, Object.values(row).flat().join("\n").toLowerCase()]));

function visible() {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) =>
    words.every((word) => haystack.get(row).includes(word)) &&
    (!wanted.priority || row.priority === wanted.priority) &&
    (!wanted.user || (row.user || "(unknown)") === wanted.user) &&
    (wanted.hour < 0 || hour(row) === wanted.hour) &&
    (!wanted.id || row.id === wanted.id));
}
function choose(changes) {
  const same = Object.entries(changes).every(([key, value]) => wanted[key] === value);
  for (const [key, value] of Object.entries(changes)) wanted[key] = same ? (key === "hour" ? -1 : "") : value;
  draw();
}

function drawCounts(shown) {
  const all = grouped(rows, (row) => row.priority);
  const now = grouped(shown, (row) => row.priority);
  byId("counts").replaceChildren(...data.priorities.filter((name) => all.has(name)).map((name) =>
    element("button", { type: "button", className: level(name), "aria-pressed": String(wanted.priority === name),
      onclick: () => choose({ priority: name }) }, `${(now.get(name) || []).length} ${name}`)));
  byId("shown").textContent = shown.length === rows.length ? "" : `${shown.length} of ${rows.length} shown`;
}

function drawTimeline(shown) {
  const services = [...grouped(rows, (row) => row.service).keys()].sort();
  const times = rows.filter((row) => row.time).map((row) => Date.parse(row.time));
  if (!times.length) return byId("timeline").replaceChildren("Nothing happened.");
  const pad = Math.max((Math.max(...times) - Math.min(...times)) * 0.03, 60000);
  const from = Math.min(...times) - pad, to = Math.max(...times) + pad;
  const width = 1100, left = 150, right = 20, step = 34, height = services.length * step + 30;
  const x = (time) => left + (time - from) / (to - from) * (width - left - right);
  const y = (service) => services.indexOf(service) * step + 22;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Timeline by service" });
  for (let tick = 0; tick <= 5; tick++) {
    const time = from + (to - from) * tick / 5;
    const label = drawing("text", { x: x(time), y: height - 6, "text-anchor": tick === 5 ? "end" : "middle" });
    label.textContent = short(new Date(time).toISOString());
    svg.append(drawing("line", { x1: x(time), x2: x(time), y1: 6, y2: height - 22 }), label);
  }
  for (const service of services) {
    const label = drawing("text", { x: 4, y: y(service) + 4 });
    label.textContent = service;
    svg.append(label, drawing("line", { x1: left, x2: width - right, y1: y(service), y2: y(service) }));
  }
  const inView = new Set(shown), taken = new Map();
  for (const row of rows.filter((one) => one.time)) {
    const title = drawing("title");
    title.textContent = `${short(row.time)} ${row.priority}: ${row.rule}\n${row.resource} ${row.path}\n${row.user}`;
    const cx = Math.round(x(Date.parse(row.time)) / 8) * 8, cy = y(row.service || "(unknown)");
    const above = taken.get(`${cx} ${cy}`) || 0;
    taken.set(`${cx} ${cy}`, above + 1);
    const dot = drawing("circle", { cx, cy: cy - above * 5, r: 7, tabindex: 0,
      class: level(row.priority), opacity: inView.has(row) ? 1 : 0.12, role: "button", "data-id": row.id }, title);
    dot.addEventListener("click", () => choose({ id: row.id }));
    dot.addEventListener("keydown", (event) => { if (event.key === "Enter") choose({ id: row.id }); });
    svg.append(dot);
  }
  byId("timeline").replaceChildren(svg);
}

function drawHeatmap(shown) {
  const users = [...grouped(shown, (row) => row.user)].sort((a, b) => b[1].length - a[1].length);
  const most = Math.max(1, ...users.flatMap(([, list]) => [...grouped(list, hour).values()].map((cell) => cell.length)));
  const head = element("tr", {}, element("th"), ...[...Array(24).keys()].map((h) =>
    element("th", { scope: "col" }, String(h).padStart(2, "0"))));
  const body = users.map(([user, list]) => element("tr", {}, element("th", { scope: "row", title: user }, user),
    ...[...Array(24).keys()].map((h) => {
      const cell = list.filter((row) => hour(row) === h);
      if (!cell.length) return element("td");
      return element("td", { className: `heat${Math.ceil(cell.length / most * 4)}` },
        element("button", { type: "button", title: `${user}, ${h}:00 UTC: ${count(cell.length, "change")}`,
          onclick: () => choose({ user, hour: h }) }, String(cell.length)));
    })));
  byId("heatmap").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function pretty(value) {
  try {
    const parsed = JSON.parse(value);
    if (parsed && typeof parsed === "object") return JSON.stringify(parsed, null, 1);
  } catch { /* a plain string */ }
  return value;
}
function change(row) {
  if (row.kind === "deleted") return element("p", {}, "Deleted.");
  if (row.kind === "unmanaged") return element("p", {}, `Created outside Terraform: ${row.type}`);
  const old = row.removed.length ? row.removed : row.added.length ? [] : [row.old || "(none)"];
  const now = row.added.length ? row.added : row.removed.length ? [] : [row.new || "(none)"];
  const side = (values, name) => element("pre", { className: name }, values.map(pretty).join("\n"));
  return element("div", { className: "change" }, old.length ? side(old, "old") : "",
    element("span", { className: "arrow" }, old.length && now.length ? "→" : old.length ? "removed" : "added"),
    now.length ? side(now, "new") : "");
}
function card(row) {
  const who = [row.user_type, row.console === "true" ? "console" : "", row.mfa === "false" ? "no MFA" : "", row.source_ip]
    .filter(Boolean).join(", ");
  return element("article", { id: `drift-${row.id}` },
    element("h3", {}, element("span", { className: level(row.priority) }, row.priority), `: ${row.rule}`),
    row.path ? element("p", {}, element("code", {}, row.path), row.confidence === "inferred" ? " (inferred)" : "") : "",
    change(row),
    element("p", {}, element("strong", {}, row.user || "Somebody"), who ? ` (${who})` : "", row.call ? ` with ${row.call}` : "",
      row.time ? ` at ${row.time.replace("T", " ").replace("Z", " UTC")}` : ""),
    row.hint ? element("p", {}, row.hint) : "",
    element("p", {}, element("small", {}, [row.place, ...row.tags].filter(Boolean).join(" · ")),
      row.link.startsWith("https://") ? " · " : "", row.link.startsWith("https://") ? element("a", { href: row.link, rel: "noreferrer" }, "CloudTrail record") : ""));
}
function tree(list, keys, open) {
  const [key, ...deeper] = keys;
  return [...grouped(list, key)].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([name, group]) =>
    element("details", { open: open || group.some((row) => level(row.priority) === "critical") },
      element("summary", {}, element("code", {}, name), element("span", { className: "tally" }, ` ${count(group.length, "change")}`)),
      ...(deeper.length ? tree(group, deeper, open) : group.map(card))));
}
function drawDetails(shown) {
  const keys = [(row) => row.account, (row) => row.service, (row) => row.resource];
  byId("details").replaceChildren(...(shown.length ? tree(shown, keys, shown.length <= 40) : ["Nothing to show."]));
}

function draw() {
  const shown = visible();
  drawCounts(shown);
  drawTimeline(shown);
  drawHeatmap(shown);
  drawDetails(shown);
}
const first = rows.find((row) => row.time), last = rows.filter((row) => row.time).at(-1);
byId("summary").textContent = `${count(rows.length, "change")} to ${count(grouped(rows, (row) => row.account + row.resource).size,
  "resource")} by ${count(grouped(rows, (row) => row.user).size, "identity").replace("identitys", "identities")}` +
  (first ? `, ${short(first.time)} to ${short(last.time)} UTC` : "");
byId("filter").addEventListener("input", (event) => { wanted.text = event.target.value; draw(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("reset", () => {
  Object.assign(wanted, { text: "", priority: "", user: "", hour: -1, id: "" });
  draw();
});
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
draw();
