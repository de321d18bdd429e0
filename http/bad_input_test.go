package http

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

// Every bad input is answered with Meilisearch's code and status, and the door
// never hears of it.
func TestBadInputNeverReachesTheDoor(t *testing.T) {
	const docs, search = "/indexes/films/documents", "/indexes/films/search"
	long := strings.Repeat("x", 401)
	type row struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, text               string
	}
	tests := []row{
		{"documents without a content type", "POST", docs, `[]`, nil, 415, "missing_content_type",
			"A Content-Type header is missing. Accepted values for the Content-Type header are: `application/json`, `application/x-ndjson`, `text/csv`"},
		{"documents of another type", "POST", docs, `[]`, []string{"Content-Type", "text/xml; charset=utf-8"}, 415, "invalid_content_type", "`text/xml`"},
		{"no documents as JSON", "POST", docs, "", asJSON, 400, "missing_payload", "A json payload is missing."},
		{"no documents as NDJSON", "PUT", docs, "", asNDJSON, 400, "missing_payload", "A ndjson payload is missing."},
		{"no documents as CSV", "POST", docs, "", asCSV, 400, "missing_payload", "A csv payload is missing."},
		{"documents over the limit", "POST", docs, strings.Repeat(" ", 2001), asJSON, 413, "payload_too_large", "The maximum accepted payload size is 2 KB."},
		{"a delimiter for JSON", "POST", docs + "?csvDelimiter=;", `[]`, asJSON, 415, "invalid_content_type", "does not support the use of a csv delimiter"},
		{"a long delimiter", "POST", docs + "?csvDelimiter=ab", `a`, asCSV, 400, "invalid_document_csv_delimiter", ""},
		{"an unknown parameter of documents", "POST", docs + "?lol=1", `[]`, asJSON, 400, "bad_request", "Unknown parameter `lol`: expected one of `primaryKey`, `csvDelimiter`, `customMetadata`, `skipCreation`"},
		{"a bad skipCreation", "PUT", docs + "?skipCreation=maybe", `[]`, asJSON, 400, "invalid_skip_creation", ""},
		{"documents for an index that cannot be", "POST", "/indexes/a%20b/documents", `[]`, asJSON, 400, "invalid_index_uid", "`a b` is not a valid index uid"},
		{"an index uid that is too long", "GET", "/indexes/" + long, "", nil, 400, "invalid_index_uid", ""},
		{"a body that is not gzip", "POST", docs, "plain", append([]string{"Content-Encoding", "gzip"}, asJSON...), 400, "bad_request", ""},
		{"a body that is not brotli", "POST", docs, "\xff\xff\xff plain", append([]string{"Content-Encoding", "br"}, asJSON...), 400, "bad_request", ""},
		{"a batch of ids that is an object", "POST", docs + "/delete-batch", `{"a":1}`, asJSON, 400, "bad_request", ""},
		{"a batch of ids that is broken", "POST", docs + "/delete-batch", `[1,`, asJSON, 400, "malformed_payload", ""},
		{"a batch of ids without a type", "POST", docs + "/delete-batch", `[1]`, nil, 415, "missing_content_type", "`application/json`"},
		{"deleting by no filter", "POST", docs + "/delete", `{}`, asJSON, 400, "missing_document_filter", ""},
		{"deleting by an empty filter", "POST", docs + "/delete", `{"filter":""}`, asJSON, 400, "invalid_document_filter", "Sending an empty filter is forbidden."},
		{"deleting by an empty list", "POST", docs + "/delete", `{"filter":[]}`, asJSON, 400, "invalid_document_filter", "Sending an empty filter is forbidden."},
		{"deleting by a broken filter", "POST", docs + "/delete", `{"filter":"a = "}`, asJSON, 400, "invalid_document_filter", ""},
		{"deleting by a number", "POST", docs + "/delete", `{"filter":3}`, asJSON, 400, "invalid_document_filter", "Invalid syntax for the filter parameter: `expected String, Array, found: 3`."},
		{"an unknown field of a deletion", "POST", docs + "/delete", `{"filter":"a = 1","x":1}`, asJSON, 400, "bad_request", "Unknown field `x`: expected one of `filter`"},
		{"an unknown parameter of a deletion", "DELETE", docs + "?x=1", "", nil, 400, "bad_request", "Unknown parameter `x`"},
		{"an unknown parameter of one document", "GET", docs + "/1?x=1", "", nil, 400, "bad_request", ""},
		{"a bad limit of documents", "GET", docs + "?limit=x", "", nil, 400, "invalid_document_limit", "Invalid value in parameter `limit`: could not parse `x` as a positive integer"},
		{"a search without a type", "POST", search, `{}`, nil, 415, "missing_content_type", "are: `application/json`"},
		{"a search of two types", "POST", search, `{}`, []string{"Content-Type", "application/x-ndjson, application/json"}, 415, "invalid_content_type", "The Content-Type `application/x-ndjson, application/json` is invalid."},
		{"documents of a type with a suffix", "POST", docs, `[]`, []string{"Content-Type", "application/vnd.api+json"}, 415, "invalid_content_type", "The Content-Type `application/vnd.api` is invalid."},
		{"a batch of ids without a type and with an unknown parameter", "POST", docs + "/delete-batch?x=1", `[1]`, nil, 415, "missing_content_type", ""},
		{"a search as text", "POST", search, `{}`, []string{"Content-Type", "text/plain"}, 415, "invalid_content_type", "The Content-Type `text/plain` is invalid."},
		{"a search without a body", "POST", search, "", asJSON, 400, "missing_payload", "A json payload is missing."},
		{"a search over the limit", "POST", search, strings.Repeat(" ", 2001), asJSON, 413, "payload_too_large", "JSON payload (2001 bytes) is larger than allowed (limit: 2000 bytes)."},
		{"an unknown search parameter", "GET", search + "?lol=1", "", nil, 400, "bad_request", "Unknown parameter `lol`"},
		{"a bad search limit", "GET", search + "?limit=-1", "", nil, 400, "invalid_search_limit", ""},
		{"a bad search switch", "GET", search + "?showRankingScore=1", "", nil, 400, "invalid_search_show_ranking_score", "expected either `true` or `false`"},
		{"a broken multi-search", "POST", "/multi-search", `{"queries":[`, asJSON, 400, "malformed_payload", ""},
		{"a multi-search without queries", "POST", "/multi-search", `{}`, asJSON, 400, "bad_request", "Missing field `queries`"},
		{"an unknown field of a query", "POST", "/multi-search", `{"queries":[{"indexUid":"films","lol":1}]}`, asJSON, 400, "bad_request", "Unknown field `lol` inside `.queries[0]`"},
		{"an unknown member of a federation", "POST", "/multi-search", `{"federation":{"lol":1},"queries":[]}`, asJSON, 400, "bad_request", "Unknown field `lol` inside `.federation`"},
		{"federation options alone", "POST", "/multi-search", `{"queries":[{"indexUid":"films","federationOptions":{"weight":1}}]}`, asJSON, 400, "invalid_multi_search_federation_options", "Inside `.queries[0]`: "},
		{"creating an index without uid", "POST", "/indexes", `{}`, asJSON, 400, "missing_index_uid", "Missing field `uid`"},
		{"creating an index with a bad uid", "POST", "/indexes", `{"uid":"a b"}`, asJSON, 400, "invalid_index_uid", "Invalid value at `.uid`: `a b` is not a valid index uid."},
		{"creating an index with a bad key", "POST", "/indexes", `{"uid":"a","primaryKey":1}`, asJSON, 400, "invalid_index_primary_key", ""},
		{"an unknown field of an index", "POST", "/indexes", `{"uid":"a","name":"b"}`, asJSON, 400, "bad_request", "Unknown field `name`: expected one of `uid`, `primaryKey`"},
		{"changing the date of an index", "PATCH", "/indexes/films", `{"createdAt":"x"}`, asJSON, 400, "immutable_index_created_at", "Immutable field `createdAt`: expected one of `primaryKey`, `uid`"},
		{"renaming to a bad uid", "PATCH", "/indexes/films", `{"uid":"a b"}`, asJSON, 400, "invalid_index_uid", ""},
		{"listing indexes by a bad limit", "GET", "/indexes?limit=a", "", nil, 400, "invalid_index_limit", ""},
		{"settings of an unknown key", "PATCH", "/indexes/films/settings", `{"x":1}`, asJSON, 400, "bad_request", "Unknown field `x`"},
		{"settings of a wrong type", "PUT", "/indexes/films/settings/stop-words", `"the"`, asJSON, 400, "invalid_settings_stop_words", "expected an array, but found a string: `\"the\"`"},
		{"a broken setting", "PUT", "/indexes/films/settings/synonyms", `{`, asJSON, 400, "malformed_payload", "The json payload provided is malformed. `EOF while parsing an object at line 1 column 1`."},
		{"settings of a feature", "PATCH", "/indexes/films/settings", `{"chat":{"description":"x"}}`, asJSON, 400, "feature_not_enabled", "setting `chat` in the index settings requires enabling"},
		{"settings of an unknown index", "GET", "/indexes/none/settings", "", nil, 404, "index_not_found", "Index `none` not found."},
		{"one setting of an unknown index", "GET", "/indexes/none/settings/synonyms", "", nil, 404, "index_not_found", ""},
		{"an unknown index", "GET", "/indexes/none", "", nil, 404, "index_not_found", ""},
		{"a task that is no number", "GET", "/tasks/x", "", nil, 400, "invalid_task_uids", "Task uid `x` is invalid. It should only contain numeric characters."},
		{"an unknown task", "GET", "/tasks/99", "", nil, 404, "task_not_found", "Task `99` not found."},
		{"an unknown batch", "GET", "/batches/99", "", nil, 404, "batch_not_found", "Batch `99` not found."},
		{"a batch of a task that waits", "GET", "/batches/4", "", nil, 404, "batch_not_found", ""},
		{"an unknown task status", "GET", "/tasks?statuses=done", "", nil, 400, "invalid_task_statuses", "`done` is not a valid task status"},
		{"cancelling without a filter", "POST", "/tasks/cancel", "", nil, 400, "missing_task_filters", "Query parameters to filter the tasks to cancel are missing."},
		{"deleting without a filter", "DELETE", "/tasks", "", nil, 400, "missing_task_filters", "Query parameters to filter the tasks to delete are missing."},
		{"cancelling a page of tasks", "POST", "/tasks/cancel?limit=1", "", nil, 400, "bad_request", "Unknown parameter `limit`: expected one of `uids`, `batchUids`, `canceledBy`"},
		{"deleting tasks by no number", "DELETE", "/tasks?uids=x", "", nil, 400, "invalid_task_uids", "could not parse `x` as a positive integer"},
		{"an unknown task parameter", "GET", "/tasks?x=1", "", nil, 400, "bad_request", ""},
		{"an unknown size format", "GET", "/stats?sizeFormat=big", "", nil, 400, "invalid_stats_size_format", ""},
		{"editing without a function", "POST", docs + "/edit", `{"filter":"a = 1"}`, asJSON, 400, "missing_document_edition_function", ""},
		{"editing without its feature", "POST", docs + "/edit", `{"function":"doc.a = 1"}`, asJSON, 400, "feature_not_enabled", "Using the documents edit route requires enabling the `edit documents by function` experimental feature."},
		{"a feature that is a number", "PATCH", "/experimental-features", `{"metrics":1}`, asJSON, 400, "bad_request", ""},
		{"an unknown feature", "PATCH", "/experimental-features", `{"magic":true}`, asJSON, 400, "bad_request", ""},
		{"keys without a master key", "GET", "/keys", "", nil, 401, "missing_master_key", ""},
		{"an empty idempotency key", "DELETE", docs, "", []string{"Idempotency-Key", ""}, 400, "bad_request", "must have 1 to 255 printable ASCII characters"},
		{"a long idempotency key", "DELETE", docs, "", []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "bad_request", "1 to 255"},
		{"an idempotency key of other letters", "POST", "/swap-indexes", `[]`, []string{"Content-Type", "application/json", "Idempotency-Key", "clé"}, 400, "bad_request", "printable"},
		{"two idempotency keys", "POST", docs, `[]`, []string{"Content-Type", "application/json", "Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, "bad_request", "more than once"},
	}
	for _, method := range []string{"POST", "PUT"} {
		tests = append(tests, row{method + " documents of a broken type", method, docs, `[]`, []string{"Content-Type", "json"}, 415, "invalid_content_type", "`json`"})
	}
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxBody = 2000 })
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := send(t, s, tc.method, tc.path, tc.body, tc.headers...)
			if code := r.code(t); r.status != tc.status || code != tc.code || !strings.Contains(unquoted(r.body), tc.text) {
				t.Errorf("got %d %s, want %d %s with %q", r.status, r.body, tc.status, tc.code, tc.text)
			}
			if n := door.called(); n != 0 {
				t.Errorf("the door was called %d times", n)
			}
		})
	}
}

// unquoted undoes the escapes that matter to compare texts inside JSON.
func unquoted(s string) string { return strings.ReplaceAll(s, `\"`, `"`) }

func TestUnknownRoutesAndMethodsHaveNoBody(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	for path, want := range map[string]int{"/nope": 404, "/indexes/films/settings/nope": 404, "/indexes/films/a/b/c": 404} {
		if r := send(t, s, http.MethodGet, path, ""); r.status != want || r.body != "" {
			t.Errorf("%s is %d %q, want %d", path, r.status, r.body, want)
		}
	}
	if r := send(t, s, http.MethodOptions, "/nope", ""); r.status != 404 {
		t.Errorf("OPTIONS of an unknown route is %d", r.status)
	}
	for path, allow := range map[string]string{"/indexes/films/documents/delete": "POST", "/indexes/films/documents/fetch": "POST", "/indexes/films/documents": "GET, POST, PUT, DELETE",
		"/indexes/films/documents/1": "GET, DELETE", "/tasks/cancel": "POST", "/logs/stream": "POST, DELETE", "/indexes/films/settings/faceting": "GET, PATCH, DELETE"} {
		for _, method := range []string{"GET", "DELETE", "LOCK", "TRACE", "HEAD"} {
			if strings.Contains(allow, method) {
				continue
			}
			if r := send(t, s, method, path, ""); r.status != 405 || r.body != "" || r.header.Get("Allow") != allow {
				t.Errorf("%s %s is %d %q, allowed %s", method, path, r.status, r.body, r.header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/indexes/films/documents/1/2", "/indexes/films/a", "/tasks/1/2", "/webhooks/a/b", "/batches/1/2"} {
		for _, method := range []string{"GET", "DELETE", "PUT", "LOCK"} {
			if r := send(t, s, method, path, ""); r.status != 404 || r.body != "" {
				t.Errorf("%s %s is %d %q", method, path, r.status, r.body)
			}
		}
	}
	for path, method := range map[string]string{"/health": "POST", "/indexes/films/search": "PUT", "/indexes/films/settings": "PUT", "/indexes/films/settings/synonyms": "PATCH", "/indexes": "OPTIONS"} {
		if r := send(t, s, method, path, ""); r.status != 405 || r.body != "" || !strings.Contains(r.header.Get("Allow"), "GET") || strings.Contains(r.header.Get("Allow"), "OPTIONS") {
			t.Errorf("%s %s is %d %q, allowed %s", method, path, r.status, r.body, r.header.Get("Allow"))
		}
	}
}

// gatedCalls are calls of the routes that experimental features open, with the word
// in the answer that says what is off.
var gatedCalls = []struct{ call, body, feature, text string }{
	{"GET /tasks/3/documents", "", "getTaskDocumentsRoute", "Getting the documents of an enqueued task requires enabling the `get task documents route`"},
	{"POST /tasks/compact", "", "taskQueueCompactionRoute", "Using the /tasks/compact route requires enabling the `task queue compaction route`"},
	{"GET /metrics", "", "metrics", "Getting metrics requires enabling the `metrics`"},
	{"GET /network", "", "network", "Using the /network route requires enabling the `network`"},
	{"PATCH /network", `{"self":"a"}`, "network", "Using the /network route requires enabling the `network`"},
	{"POST /network/control", `{"origin":"a"}`, "network", "Using the /network/control route requires enabling the `network`"},
	{"GET /chats", "", "chatCompletions", "listing the chats requires enabling the `chat completions`"},
	{"GET /chats/w", "", "chatCompletions", "displaying a chat requires"},
	{"DELETE /chats/w", "", "chatCompletions", "deleting a chat requires"},
	{"GET /chats/w/settings", "", "chatCompletions", "using the /chats/settings route requires"},
	{"PATCH /chats/w/settings", `{"source":"openAi"}`, "chatCompletions", "using the /chats/settings route requires"},
	{"POST /chats/w/chat/completions", `{"model":"m","messages":[]}`, "chatCompletions", "using the /chats chat completions route requires"},
	{"POST /dynamic-search-rules", `{}`, "dynamicSearchRules", "Calling the `POST /dynamic-search-rules` route requires enabling the `dynamic search rules`"},
	{"DELETE /dynamic-search-rules/r", "", "dynamicSearchRules", "requires enabling the `dynamic search rules`"},
	{"POST /render-template", `{"template":{},"input":{}}`, "renderRoute", "calling the /render-template route requires enabling the `render_route`"},
	{"POST /logs/stream", `{"mode":"human"}`, "logsRoute", "Modifying logs through the `/logs/*` routes requires enabling the `logs route`"},
	{"DELETE /logs/stream", "", "logsRoute", "requires enabling the `logs route`"},
	{"POST /logs/stderr", `{}`, "logsRoute", "requires enabling the `logs route`"},
	{"PATCH /indexes/films/settings", `{"chat":{}}`, "chatCompletions", "setting `chat` in the index settings requires"},
	{"PATCH /indexes/films/settings", `{"embedders":{"e":{"source":"composite"}}}`, "compositeEmbedders", "as source requires enabling the `composite embedders`"},
	{"PUT /indexes/films/settings/foreign-keys", `[]`, "foreignKeys", "setting `foreignKeys` in the index settings requires"},
}

func TestRoutesOfExperimentalFeatures(t *testing.T) {
	served := map[string]string{
		"GET /chats": "200", "GET /chats/w": "404 chat_not_found", "DELETE /chats/w": "404 chat_not_found", "GET /chats/w/settings": "404 chat_not_found",
		`PATCH /chats/w/settings{"source":"openAi"}`: "200", `PATCH /indexes/films/settings{"chat":{}}`: "202",
	}
	const key = "master-master-master"
	for _, q := range gatedCalls {
		t.Run(q.call+" "+q.body, func(t *testing.T) {
			door := newFakeDoor()
			s := start(t, door, func(o *Options) { o.Keys = NewStaticKeys(key, "") })
			method, path, _ := strings.Cut(q.call, " ")
			token := append([]string{"Authorization", "Bearer " + key}, asJSON...)
			if r := send(t, s, method, path, q.body); r.status != 401 {
				t.Errorf("without a token it is %d", r.status)
			}
			if r := send(t, s, method, path, q.body, token...); r.status != 400 || r.code(t) != "feature_not_enabled" || !strings.Contains(r.body, strings.ReplaceAll(q.text, `"`, `\"`)) {
				t.Errorf("while it is off it is %d %s", r.status, r.body)
			}
			want := `"` + q.feature + `":true`
			if r := send(t, s, "PATCH", "/experimental-features", "{"+want+"}", token...); r.status != 200 || !strings.Contains(r.body, want) {
				t.Errorf("turning it on is %d %s", r.status, r.body)
			}
			if r := send(t, s, "GET", "/experimental-features", "", token...); strings.Count(r.body, ":true") != 1 || !strings.Contains(r.body, want) {
				t.Errorf("then the features are %s", r.body)
			}
			r := send(t, s, method, path, q.body, token...)
			switch {
			case q.call == "GET /metrics":
				if r.status != 200 || !strings.Contains(r.body, "miroir_http_requests_total") {
					t.Errorf("the metrics are %d %.100s", r.status, r.body)
				}
			case served[q.call+q.body] != "":
				status, code, _ := strings.Cut(served[q.call+q.body], " ")
				if strconv.Itoa(r.status) != status || code != "" && r.code(t) != code {
					t.Errorf("while it is on it is %d %s", r.status, r.body)
				}
				return
			case q.feature == "getTaskDocumentsRoute":
				if r.status != 404 || r.code(t) != "task_file_not_found" {
					t.Errorf("the documents of a task that has ended are %d %s", r.status, r.body)
				}
			case r.status != 501 || r.code(t) != "miroir_not_supported":
				t.Errorf("while it is on it is %d %s", r.status, r.body)
			}
			if door.called() != 0 {
				t.Error("the door was called")
			}
		})
	}
}

// A node has a feature off that clients have turned on, because Miroir does not offer
// that part of it.
func TestErrorsOfNodesAboutFeatures(t *testing.T) {
	door := newFakeDoor()
	off, err := api.Marshal(api.FeatureOff("multimodal", "passing `media` in a search query"))
	if err != nil {
		t.Fatal(err)
	}
	door.answer = func(context.Context, any) *messages.Answer { return &messages.Answer{Status: 400, Body: off} }
	s := start(t, door, nil)
	ask := func() reply { return send(t, s, "POST", "/indexes/films/search", `{"media":{}}`, asJSON...) }
	if r := ask(); r.status != 400 || r.body != string(off) {
		t.Errorf("while it is off it is %d %s", r.status, r.body)
	}
	send(t, s, "PATCH", "/experimental-features", `{"multimodal":true}`, asJSON...)
	if r := ask(); r.status != 501 || r.code(t) != "miroir_not_supported" || !strings.Contains(r.body, "passing `media` in a search query") {
		t.Errorf("while it is on it is %d %s", r.status, r.body)
	}
}

func TestEveryRouteThatIsNotServedSaysWhatToDo(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.Keys = NewStaticKeys("master-master-master", "") })
	for _, q := range [][2]string{{"POST /export", `{"url":"http://other"}`}} {
		method, path, _ := strings.Cut(q[0], " ")
		got := send(t, s, method, path, q[1], append([]string{"Authorization", "Bearer master-master-master"}, asJSON...)...)
		if got.status != 501 || got.code(t) != "miroir_not_supported" {
			t.Errorf("%s is %d %s", q[0], got.status, got.body)
		}
		if got := send(t, s, method, path, ""); got.status != 401 {
			t.Errorf("%s without a token is %d", q[0], got.status)
		}
	}
	if door.called() != 0 {
		t.Error("the door was called")
	}
}
