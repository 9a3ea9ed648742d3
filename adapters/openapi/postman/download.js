const files = JSON.parse(pm.collectionVariables.get("files"));
const file = files.shift();
pm.test(file.name + " is there", () => pm.response.to.have.status(200));
if (pm.response.code === 200) {
  const text = pm.response.text();
  pm.test(file.name + " has " + file.count + " lines", () => pm.expect(text.split("\n").length - 1).to.equal(file.count));
  const sum = "sha256:" + require("crypto-js").SHA256(text).toString();
  pm.test(file.name + " has the sha256 of the manifest", () => pm.expect(sum).to.equal(file.sha256));
}
// The next file, until there is none left.
pm.collectionVariables.set("files", JSON.stringify(files));
if (files.length > 0) {
  pm.collectionVariables.set("name", files[0].name);
  pm.execution.setNextRequest(pm.info.requestName);
}
