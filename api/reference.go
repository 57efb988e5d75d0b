package api

import (
	"net/http"

	"github.com/swaggest/swgui/v5emb"
)

// The API reference is Swagger UI, from the assets that swgui embeds. The page is
// ours, since that of swgui has inline scripts, which the policy forbids. Nothing
// is expanded, so the page opens at once whatever the number of operations.
const (
	referencePage = `<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jointlab API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/reference.js"></script>
</html>
`
	// Swagger UI reads a document as YAML and dereferences all of it for each
	// operation that is opened, which takes seconds at this size. So the plugin reads
	// JSON, and follows the references of the opened operation only. A schema that
	// holds itself keeps the inner reference.
	referenceScript = `function resolve(spec, node, within) {
	if (Array.isArray(node)) return node.map((item) => resolve(spec, item, within));
	if (node === null || typeof node !== "object") return node;
	const ref = node.$ref;
	if (typeof ref === "string") {
		if (within.includes(ref)) return node;
		const target = ref.split("/").slice(1).reduce((at, name) => at[name], spec);
		return resolve(spec, target, within.concat(ref));
	}
	return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, resolve(spec, value, within)]));
}

SwaggerUIBundle({
	url: "/openapi.json",
	dom_id: "#reference",
	docExpansion: "none",
	defaultModelsExpandDepth: -1,
	deepLinking: true,
	filter: true,
	validatorUrl: null,
	plugins: [{
		fn: {
			resolveSubtree: async (spec, path) => ({
				spec: resolve(spec, path.reduce((at, name) => at?.[name], spec), []),
				errors: [],
			}),
		},
		statePlugins: {
			spec: {
				wrapActions: {
					parseToJson: (_, system) => (text) => system.specActions.updateJsonSpec(JSON.parse(text)),
				},
			},
		},
	}],
});
`
	// Swagger UI styles elements inline and shows images of its own as data.
	referencePolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; " +
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// registerReference adds the page at /docs and the files it loads.
func (s *Server) registerReference() {
	show := page("text/html; charset=utf-8", referencePage)
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", referencePolicy)
		show(w, r)
	})
	s.mux.HandleFunc("GET /docs/reference.js", page("text/javascript; charset=utf-8", referenceScript))
	assets := v5emb.New("", "", "/docs")
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		s.mux.Handle("GET /docs/"+name, assets)
	}
}

// page returns a handler that answers with a fixed text.
func page(media, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Write([]byte(text))
	}
}
