// A token is fetched when there is none or when it ends within a minute.
const ends = Number(pm.collectionVariables.get("token_ends") || 0);
if (Date.now() > ends - 60000) {
  const at = (name) => pm.variables.replaceIn(pm.variables.get(name));
  pm.sendRequest({
    url: at("token_url"),
    method: "POST",
    header: {
      "Content-Type": "application/x-www-form-urlencoded",
      Authorization: "Basic " + Buffer.from(at("client_id") + ":" + at("client_secret")).toString("base64"),
    },
    body: { mode: "raw", raw: "grant_type=client_credentials&scope=clientCreds" },
  }, (error, answer) => {
    if (error || answer.code !== 200) {
      throw new Error("no token: " + (error || answer.text()));
    }
    pm.collectionVariables.set("token", answer.json().access_token);
    pm.collectionVariables.set("token_ends", String(Date.now() + answer.json().expires_in * 1000));
  });
}
