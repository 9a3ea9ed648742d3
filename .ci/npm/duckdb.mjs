// duckdb [-csv] -c SQL: DuckDB itself, as a library, with the little of its command
// line that the pages use.
import { createRequire } from "node:module";
import path from "node:path";

const [modules, ...words] = process.argv.slice(2);
const require = createRequire(path.join(modules, "package.json"));
const { DuckDBInstance } = require("@duckdb/node-api");
if (words.length !== 3 || words[0] !== "-csv" || words[1] !== "-c") {
  console.error("what is known here is duckdb -csv -c SQL");
  process.exit(1);
}
const connection = await (await DuckDBInstance.create(":memory:")).connect();
const result = await connection.runAndReadAll(words[2]);
console.log(result.columnNames().join(","));
for (const row of result.getRows()) console.log(row.join(","));
