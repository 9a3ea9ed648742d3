// Reads PowerShell from standard input and fails where it is not well-formed: it
// cannot be run where the tests run, but it can be parsed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.argv[2], "package.json"));
const { Parser, Language } = require("web-tree-sitter");
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(require.resolve("tree-sitter-powershell/tree-sitter-powershell.wasm")));
const source = readFileSync(0, "utf8");
const faults = [];
(function visit(node) {
  if (node.isError || node.isMissing) {
    faults.push(`line ${node.startPosition.row + 1}: ${node.text.slice(0, 80) || "something is missing"}`);
  }
  for (const child of node.children) visit(child);
})(parser.parse(source).rootNode);
if (faults.length > 0 || source.trim() === "") {
  console.error(faults.join("\n") || "there is nothing to parse");
  process.exit(1);
}
