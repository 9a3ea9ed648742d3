"use strict";
(() => {
  const page = document.getElementById("swagger-ui").dataset;
  const ui = SwaggerUIBundle({
    url: page.document,
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    withCredentials: false,
  });
  if (page.clientId) {
    ui.initOAuth({ clientId: page.clientId, clientSecret: page.clientSecret, scopes: "clientCreds" });
  }
  window.ui = ui;
})();
