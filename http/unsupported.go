package http

import (
	"net/http"
	"strings"

	"github.com/miroir-search/miroir/api"
)

// gated is a route that needs an experimental feature.
type gated struct {
	method, path string
	action       Action
	feature      string
	// doing begins the sentence of the error while the feature is off.
	doing string
	// fields are the members of its JSON body; anyBody takes a body with any members,
	// noBody none at all.
	fields string
	// serve answers while the feature is on.
	serve func(c *call) error
}

// Bodies of gated routes.
const (
	noBody  = ""
	anyBody = "*"
)

const toChatSettings = "using the /chats/settings route"

// gatedRoutes are those that only experimental features open. While the feature is
// off the answer is that of Meilisearch; what Miroir does not serve although it is on
// says so.
func (s *Server) gatedRoutes() {
	const (
		get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete

		toLogs  = "Modifying logs through the `/logs/*` routes"
		toRules = "Using the `/dynamic-search-rules` routes"
	)
	refuse := func(text string) func(*call) error {
		answer := notSupported(text)
		return func(*call) error { return answer }
	}
	metrics := s.metricsHandler()
	network := refuse("Miroir is the network of its nodes: they are named in its own configuration, and shown by GET /_miroir/topology.")
	chats := refuse("Miroir does not talk to language models. Search with POST /indexes/{uid}/search and call the language model yourself.")
	rules := refuse("Miroir does not apply dynamic search rules. Leave them out, or order documents with `sort` and `rankingRules`.")
	logs := refuse("Miroir writes its log to standard error; set what it holds with --log-level.")
	for _, r := range []gated{
		{get, "/metrics", ActionMetricsGet, "metrics", "Getting metrics", noBody, func(c *call) error {
			c.written, c.status = true, http.StatusOK
			metrics.ServeHTTP(c.c.Response(), c.c.Request())
			return nil
		}},
		{get, "/tasks/:task/documents", ActionTasksGet, "getTaskDocumentsRoute", "Getting the documents of an enqueued task", noBody, getTaskDocuments},
		{post, "/tasks/compact", ActionTasksCompact, "taskQueueCompactionRoute", "Using the /tasks/compact route", noBody,
			refuse("Miroir does not compact its tasks. Nothing needs to be done.")},
		{post, "/logs/stream", ActionMetricsGet, "logsRoute", toLogs, "target mode profileMemory", logs},
		{del, "/logs/stream", ActionMetricsGet, "logsRoute", toLogs, noBody, logs},
		{post, "/logs/stderr", ActionMetricsGet, "logsRoute", toLogs, "target", logs},
		{get, "/network", ActionNetworkGet, "network", "Using the /network route", noBody, network},
		{patch, "/network", ActionNetworkUpdate, "network", "Using the /network route", "remotes shards previousShards self leader previousRemotes", network},
		{post, "/network/control", ActionNetworkUpdate, "network", "Using the /network/control route", anyBody, network},
		{post, "/dynamic-search-rules", ActionSearchRulesGet, "dynamicSearchRules", "Calling the `POST /dynamic-search-rules` route", "offset limit filter", rules},
		{del, "/dynamic-search-rules", ActionSearchRulesDel, "dynamicSearchRules", toRules, noBody, rules},
		{get, "/dynamic-search-rules/:uid", ActionSearchRulesGet, "dynamicSearchRules", "Calling the `GET /dynamic-search-rules/{:ruleUid}` route", noBody, rules},
		{patch, "/dynamic-search-rules/:uid", ActionSearchRulesSet, "dynamicSearchRules", toRules, anyBody, rules},
		{del, "/dynamic-search-rules/:uid", ActionSearchRulesDel, "dynamicSearchRules", toRules, noBody, rules},
		{post, "/render-template", ActionSettingsGet, "renderRoute", "calling the /render-template route", "template input",
			refuse("Miroir does not render templates. Ask a node itself.")},
		{get, "/chats", ActionChatsGet, "chatCompletions", "listing the chats", noBody, listChats},
		{get, "/chats/:workspace", ActionChatsGet, "chatCompletions", "displaying a chat", noBody, getChat},
		{del, "/chats/:workspace", ActionChatsDelete, "chatCompletions", "deleting a chat", noBody, deleteChat},
		{get, "/chats/:workspace/settings", ActionChatSettingsGet, "chatCompletions", toChatSettings, noBody, getChatSettings},
		{del, "/chats/:workspace/settings", ActionChatSettingsSet, "chatCompletions", toChatSettings, noBody, resetChatSettings},
		{post, "/chats/:workspace/chat/completions", ActionChatCompletions, "chatCompletions", "using the /chats chat completions route", anyBody, chats},
		{post, "/export", ActionExport, "", "", "url apiKey payloadSize indexes",
			refuse("Miroir does not export. Read documents with GET /indexes/{uid}/documents and send them to the other server.")},
	} {
		made := &route{method: r.method, path: r.path, action: r.action, serve: r.answer}
		if r.path == "/render-template" {
			made.also = ActionDocumentsGet
		}
		s.add(made)
	}
	s.route(patch, "/chats/:workspace/settings", ActionChatSettingsSet, patchChatSettings) // it reads its body itself, before the feature
}

// answer looks at the body and the feature before it serves.
func (r *gated) answer(c *call) error {
	if err := c.checkMembers(r.fields); err != nil {
		return err
	}
	if r.feature != "" {
		if err := c.require(r.feature, r.doing); err != nil {
			return err
		}
	}
	return r.serve(c)
}

// checkMembers reads a body of which only the names of its members are looked at.
func (c *call) checkMembers(names string) error {
	if names == noBody {
		return nil
	}
	v, err := c.jsonValue()
	if err != nil || names == anyBody {
		return err
	}
	var fields []api.Field
	for name := range strings.FieldsSeq(names) {
		fields = append(fields, api.Field{Name: name, Into: api.Raw("bad_request", new(api.Value))})
	}
	if bad := api.DecodeObject(v, api.At{}, "bad_request", fields); bad != nil {
		return bad
	}
	return nil
}

// require is the error of doing what needs an experimental feature that clients have
// not turned on.
func (c *call) require(feature, doing string) error {
	on, err := c.s.opts.Door.Features(c.ctx())
	if err != nil {
		return err
	}
	if !on[feature] {
		return api.FeatureOff(feature, doing)
	}
	return nil
}

// notOffered is what becomes of an error about a feature that is off when clients
// have turned it on: it is a part of it that Miroir has not, so nodes have it off, or
// nothing here takes it.
func (c *call) notOffered(e *api.Error) *api.Error {
	feature := api.FeatureOf(e)
	if feature == "" {
		return e
	}
	on, err := c.s.opts.Door.Features(c.ctx())
	if err != nil || !on[feature] {
		return e
	}
	what, _, _ := strings.Cut(e.Message, " requires enabling the `")
	return notSupported("Miroir does not offer this part of the experimental feature `" + feature + "`: " + what + ".")
}
