package http

import "net/http"

// unsupportedRoutes answers every route of Meilisearch v1.50 that Miroir does
// not serve, so that a client learns what to do instead of meeting a 404.
func (s *Server) unsupportedRoutes() {
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
		index                      = "/indexes/:index"
		keys                       = "Miroir does not manage API keys yet. Use the master key, and keep it on your servers."
		network                    = "Miroir is the network of its nodes: they are named in its own configuration, and shown by GET /_miroir/topology."
		chats                      = "Miroir does not hold chats. Search with POST /indexes/{uid}/search and call the language model yourself."
		rules                      = "Miroir does not apply dynamic search rules. Leave them out, or order documents with `sort` and `rankingRules`."
		logs                       = "Miroir writes its log to standard error; set what it holds with --log-level."
	)
	for _, r := range []struct {
		method, path string
		action       Action
		text         string
	}{
		{post, "/tasks/compact", ActionTasksCompact, "Miroir does not compact its tasks. Nothing needs to be done."},
		{get, "/tasks/:task/documents", ActionTasksGet, "Miroir does not give back the documents of a task. Read them with GET /indexes/{uid}/documents."},
		{post, "/export", ActionExport, "Miroir does not export. Read documents with GET /indexes/{uid}/documents and send them to the other server."},
		{get, "/metrics", ActionMetricsGet, "The metrics of Miroir are at GET /_miroir/metrics, and at /metrics of its own metrics address (port 9090)."},
		{post, "/logs/stream", ActionLogs, logs},
		{del, "/logs/stream", ActionLogs, logs},
		{post, "/logs/stderr", ActionLogs, logs},
		{get, "/network", ActionNetworkGet, network},
		{patch, "/network", ActionNetworkUpdate, network},
		{post, "/network/control", ActionNetworkUpdate, network},
		{post, "/dynamic-search-rules", ActionSearchRules, rules},
		{del, "/dynamic-search-rules", ActionSearchRules, rules},
		{get, "/dynamic-search-rules/:uid", ActionSearchRules, rules},
		{patch, "/dynamic-search-rules/:uid", ActionSearchRules, rules},
		{del, "/dynamic-search-rules/:uid", ActionSearchRules, rules},
		{post, "/render-template", ActionRender, "Miroir does not render templates. Ask a node itself."},
		{get, "/chats", ActionChats, chats},
		{get, "/chats/:workspace", ActionChats, chats},
		{del, "/chats/:workspace", ActionChats, chats},
		{get, "/chats/:workspace/settings", ActionChats, chats},
		{patch, "/chats/:workspace/settings", ActionChats, chats},
		{del, "/chats/:workspace/settings", ActionChats, chats},
		{post, "/chats/:workspace/chat/completions", ActionChatCompletions, chats},
		{get, "/keys", ActionKeysGet, keys},
		{post, "/keys", ActionKeysCreate, keys},
		{get, "/keys/:key", ActionKeysGet, keys},
		{patch, "/keys/:key", ActionKeysUpdate, keys},
		{del, "/keys/:key", ActionKeysDelete, keys},
	} {
		answer := notSupported(r.text)
		s.route(r.method, r.path, r.action, func(*call) error { return answer })
	}
}
