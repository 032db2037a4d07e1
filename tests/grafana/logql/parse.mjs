// Reads LogQL queries, one a line, and prints those that Grafana's own grammar refuses, with the place.
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-logql";

for (const query of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  let error = -1;
  parser.parse(query).iterate({ enter(node) { if (node.type.isError && error < 0) error = node.from; } });
  if (error >= 0) console.log(`${error}: ${query}`);
}
