pm.test("the export has started", () => pm.response.to.have.status(202));
const job = (pm.response.headers.get("Content-Location") || "").match(/\/Job\/([^/]+)\/\$status$/);
pm.test("Content-Location says where its status is", () => pm.expect(job).to.not.equal(null));
if (job) {
  pm.collectionVariables.set("job", job[1]);
} else {
  pm.execution.setNextRequest(null);
}
