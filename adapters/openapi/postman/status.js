pm.test("the export runs or is complete", () => pm.expect([200, 202, 429]).to.include(pm.response.code));
if (pm.response.code === 202 || pm.response.code === 429) {
  // It is asked again once Retry-After is over.
  pm.execution.setNextRequest(pm.info.requestName);
  setTimeout(() => {}, 1000 * Number(pm.response.headers.get("Retry-After") || 5));
} else if (pm.response.code === 200) {
  const manifest = pm.response.json();
  const files = manifest.output.concat(manifest.error).map((f) => ({
    name: f.url.split("/").pop(),
    count: f.count,
    sha256: (f.extension.find((e) => e.url.endsWith("/checksum")) || {}).valueString,
  }));
  pm.collectionVariables.set("files", JSON.stringify(files));
  pm.collectionVariables.set("since", manifest.transactionTime);
  if (files.length > 0) {
    pm.collectionVariables.set("name", files[0].name);
  } else {
    pm.execution.setNextRequest(null);
  }
} else {
  pm.execution.setNextRequest(null);
}
