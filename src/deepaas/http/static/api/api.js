// Opens Swagger UI on the specification that this server publishes, under whatever base path the page was served.
// The bundle is a script that the page loads before this one, hence the global.

globalThis.SwaggerUIBundle({
  url: new URL("swagger.json", document.baseURI).href,
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // the default one is a service on the internet
});
