package tests

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// bad is input that a Meilisearch refuses.
type bad struct {
	name, method, path, body string
	headers                  []string
	status                   int
	code                     string
	// ours: one node does not say the same, because the rule is Miroir's.
	ours bool
}

var badInput = []bad{
	{name: "malformed JSON", method: "POST", path: docsPath, body: `[{"id":1},{"id":2]`, status: 400, code: "malformed_payload"},
	{name: "malformed JSON that is cut", method: "PUT", path: docsPath, body: `[{"id":1},{"id":`, status: 400, code: "malformed_payload"},
	{name: "malformed NDJSON in the second line", method: "POST", path: docsPath, body: "{\"id\":1}\n{\"id\" 2}\n", headers: []string{"Content-Type", "application/x-ndjson"}, status: 400, code: "malformed_payload"},
	{name: "malformed CSV in the second line", method: "POST", path: docsPath, body: "id,title\n1,a\n2\n", headers: []string{"Content-Type", "text/csv"}, status: 400, code: "malformed_payload"},
	{name: "a document that is a number", method: "POST", path: docsPath, body: `[{"id":1},7]`, status: 500, code: "internal"},
	{name: "no content type", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Content-Type", ""}, status: 415, code: "missing_content_type"},
	{name: "another content type", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Content-Type", "text/plain"}, status: 415, code: "invalid_content_type"},
	{name: "an empty body", method: "POST", path: docsPath, status: 400, code: "missing_payload", headers: []string{"Content-Type", "application/json"}},
	{name: "a reserved field", method: "POST", path: docsPath, body: `[{"id":1},{"id":2,"_miroir_shard":"!"}]`, status: 400, code: "miroir_reserved_field", ours: true},
	{name: "a reserved field in CSV", method: "POST", path: docsPath, body: "id,_miroir_x\n1,a\n", headers: []string{"Content-Type", "text/csv"}, status: 400, code: "miroir_reserved_field", ours: true},
	{name: "a reserved field by escapes", method: "POST", path: docsPath, body: `[{"id":1,"\u005fmiroir_x":1}]`, status: 400, code: "miroir_reserved_field", ours: true},
	{name: "a bad delimiter", method: "POST", path: docsPath + "?csvDelimiter=ab", body: "id\n1\n", headers: []string{"Content-Type", "text/csv"}, status: 400, code: "invalid_document_csv_delimiter"},
	{name: "an unknown parameter", method: "POST", path: docsPath + "?nope=1", body: `[{"id":1}]`, status: 400, code: "bad_request"},
	{name: "a bad index uid", method: "POST", path: "/indexes/a%20b/documents", body: `[{"id":1}]`, status: 400, code: "invalid_index_uid"},
	{name: "a bad index uid to create", method: "POST", path: "/indexes", body: `{"uid":"a b"}`, status: 400, code: "invalid_index_uid"},
	{name: "an index without uid", method: "POST", path: "/indexes", body: `{}`, status: 400, code: "missing_index_uid"},
	{name: "an unknown field of an index", method: "POST", path: "/indexes", body: `{"uid":"a","nope":1}`, status: 400, code: "bad_request"},
	{name: "malformed JSON of an index", method: "POST", path: "/indexes", body: `{"uid":`, status: 400, code: "malformed_payload"},
	{name: "search in an unknown index", method: "POST", path: "/indexes/none/search", body: `{"q":"a"}`, status: 404, code: "index_not_found"},
	{name: "a document of an unknown index", method: "GET", path: "/indexes/none/documents/1", status: 404, code: "index_not_found"},
	{name: "documents of an unknown index", method: "GET", path: "/indexes/none/documents", status: 404, code: "index_not_found"},
	{name: "settings of an unknown index", method: "GET", path: "/indexes/none/settings", status: 404, code: "index_not_found"},
	{name: "statistics of an unknown index", method: "GET", path: "/indexes/none/stats", status: 404, code: "index_not_found"},
	{name: "an unknown index", method: "GET", path: "/indexes/none", status: 404, code: "index_not_found"},
	{name: "an unknown task", method: "GET", path: "/tasks/12345", status: 404, code: "task_not_found"},
	{name: "a task that is no number", method: "GET", path: "/tasks/abc", status: 400, code: "invalid_task_uids"},
	{name: "an unknown search parameter", method: "POST", path: "/indexes/none/search", body: `{"nope":1}`, status: 400, code: "bad_request"},
	{name: "a bad limit", method: "POST", path: "/indexes/none/search", body: `{"limit":"many"}`, status: 400, code: "invalid_search_limit"},
	{name: "a bad limit in the query", method: "GET", path: "/indexes/none/search?limit=-1", status: 400, code: "invalid_search_limit"},
	{name: "a search as text", method: "POST", path: "/indexes/none/search", body: `{}`, headers: []string{"Content-Type", "text/plain"}, status: 415, code: "invalid_content_type"},
	{name: "settings of a wrong type", method: "PATCH", path: "/indexes/films/settings", body: `{"stopWords":1}`, status: 400, code: "invalid_settings_stop_words"},
	{name: "an unknown setting", method: "PATCH", path: "/indexes/films/settings", body: `{"nope":1}`, status: 400, code: "bad_request"},
	{name: "a bad ranking rule", method: "PUT", path: "/indexes/films/settings/ranking-rules", body: `["nope"]`, status: 400, code: "invalid_settings_ranking_rules"},
	{name: "an empty filter to delete by", method: "POST", path: docsPath + "/delete", body: `{"filter":""}`, status: 400, code: "invalid_document_filter"},
	{name: "a body that is no gzip", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Content-Encoding", "gzip"}, status: 400, code: "bad_request", ours: true},
	{name: "no token", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Authorization", ""}, status: 401, code: "missing_authorization_header"},
	{name: "a bad token", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Authorization", "Bearer nope"}, status: 403, code: "invalid_api_key"},
	{name: "a token of another kind", method: "POST", path: docsPath, body: `[{"id":1}]`, headers: []string{"Authorization", "Basic abc"}, status: 401, code: "missing_authorization_header"},
}

// Every bad input is refused in Meilisearch's words, and afterwards there is no
// task, no index and no document, here and on the nodes.
func TestBadInputStoresNothing(t *testing.T) {
	const key = "master-key-of-the-test"
	f := fleet.Start(t, fleet.Options{Groups: 1, MasterKey: key, Lines: "limits: {http_payload_size: 1mb}\n"})
	one := fleet.StartNodeWithKey(t, "single", "", key)
	for _, q := range badInput {
		t.Run(q.name, func(t *testing.T) {
			got := f.Do(t, q.method, q.path, q.body, q.headers...)
			if got.Status != q.status || got.Code() != q.code {
				t.Fatalf("%d %s, want %d %s", got.Status, got.Body, q.status, q.code)
			}
			errorShape(t, got, q.code)
			if q.ours {
				return
			}
			want := one.Do(t, q.method, q.path, q.body, q.headers...)
			if d := compare.JSON(got.Body, want.Body, nil); len(d) > 0 || got.Status != want.Status {
				t.Errorf("one node answers %d %s, Miroir %d %s", want.Status, want.Body, got.Status, got.Body)
			}
		})
	}
	t.Run("a body over the limit", func(t *testing.T) {
		got := f.Do(t, "POST", docsPath, `[{"id":1,"text":"`+strings.Repeat("x", 1<<20)+`"}]`)
		if got.Status != 413 || got.Code() != "payload_too_large" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		errorShape(t, got, "payload_too_large")
	})
	t.Run("a body that unpacks to more than the limit", func(t *testing.T) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(`[{"id":1,"text":"` + strings.Repeat("x", 3<<20) + `"}]`)) // a buffer takes everything
		_ = z.Close()
		got := f.Do(t, "POST", docsPath, b.String(), "Content-Encoding", "gzip")
		if got.Status != 413 || got.Code() != "payload_too_large" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	if n := tasks(t, f.API); n != 0 {
		t.Errorf("%d tasks", n)
	}
	nothing(t, f, 0)
}

// What a Meilisearch only finds when it works on the documents fails the task,
// or is refused at once, as one node does; either way nothing of it is stored.
func TestBadDocumentsStoreNothing(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1})
	one := fleet.StartNode(t, "single", "")
	for _, q := range []struct{ name, path, body, code string }{
		{"an id with a blank", docsPath, `[{"id":1},{"id":"a b"}]`, "invalid_document_id"},
		{"an id that is a float", docsPath, `[{"id":1},{"id":1.5}]`, "invalid_document_id"},
		{"an id that is null", docsPath, `[{"id":1},{"id":null}]`, "invalid_document_id"},
		{"an id that is an object", docsPath, `[{"id":1},{"id":{}}]`, "invalid_document_id"},
		{"an id that is too long", docsPath, `[{"id":1},{"id":"` + strings.Repeat("a", 512) + `"}]`, "invalid_document_id"},
		{"a document without the id", docsPath + "?primaryKey=id", `[{"id":1},{"title":"a"}]`, "missing_document_id"},
		{"no field to be the id", docsPath, `[{"title":"a"}]`, "index_primary_key_no_candidate_found"},
		{"two fields to be the id", docsPath, `[{"aid":1,"bid":2}]`, "index_primary_key_multiple_candidates_found"},
	} {
		t.Run(q.name, func(t *testing.T) {
			got, want := failure(t, f.API, q.path, q.body), failure(t, one.API, q.path, q.body)
			if code := (&fleet.Answer{Body: got}).Code(); code != q.code {
				t.Fatalf("%s, want %s", got, q.code)
			}
			if d := compare.JSON(got, want, nil); len(d) > 0 {
				t.Errorf("one node says %s, Miroir %s", want, got)
			}
		})
	}
	nothing(t, f, 1)
}

// failure is the error body of a write, at once or of its task.
func failure(t *testing.T, s fleet.API, path, body string) []byte {
	t.Helper()
	a := s.Do(t, "POST", path, body)
	if a.Status != 202 {
		return a.Body
	}
	return s.Finished(t, a.TaskUID()).Error
}

func errorShape(t *testing.T, a *fleet.Answer, code string) {
	t.Helper()
	var e map[string]string
	if err := json.Unmarshal(a.Body, &e); err != nil || len(e) != 4 || e["message"] == "" || e["type"] == "" {
		t.Fatalf("error body %s: %v", a.Body, err)
	}
	if want := "https://docs.meilisearch.com/errors#" + code; e["link"] != want && !strings.HasPrefix(code, "miroir_") {
		t.Errorf("link %s, want %s", e["link"], want)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
}

// nothing checks that there are no documents, and at most so many indexes.
func nothing(t *testing.T, f *fleet.Fleet, indexes int) {
	t.Helper()
	var list struct{ Total int }
	if f.Get(t, "/indexes", &list); list.Total > indexes {
		t.Errorf("%d indexes", list.Total)
	}
	var all struct {
		Indexes map[string]struct{ NumberOfDocuments int }
	}
	f.Get(t, "/stats", &all)
	for uid, x := range all.Indexes {
		if x.NumberOfDocuments != 0 {
			t.Errorf("%s has %d documents", uid, x.NumberOfDocuments)
		}
	}
	for _, n := range f.Nodes {
		if held := documentsOf(t, n); held != 0 {
			t.Errorf("node %s holds %d documents", n.ID, held)
		}
	}
}
