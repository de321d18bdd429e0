package tests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// apiRoute is a route of Meilisearch v1.50.
type apiRoute struct {
	path    string
	methods string // those it knows
	// body says which methods take one: JSON, or a payload of documents.
	body string
	// params are names of query parameters of GET, fields those of the body.
	params, fields string
	// gated routes belong to an experimental feature; of bodies that are not theirs only
	// some errors are the same.
	gated bool
}

// apiRoutes are all routes of Meilisearch v1.50 but those of keys and the ones that
// stream.
var apiRoutes = []apiRoute{
	{path: "/", methods: "GET"},
	{path: "/health", methods: "GET"},
	{path: "/version", methods: "GET"},
	{path: "/stats", methods: "GET", params: "sizeFormat showInternalDatabaseSizes"},
	{path: "/indexes", methods: "GET POST", body: "POST", params: "offset limit", fields: "uid primaryKey"},
	{path: "/indexes/films", methods: "GET PATCH DELETE", body: "PATCH", fields: "primaryKey uid"},
	{path: "/indexes/films/stats", methods: "GET", params: "sizeFormat showInternalDatabaseSizes"},
	{path: "/indexes/films/fields", methods: "POST", body: "POST", fields: "offset limit filter"},
	{path: "/indexes/films/compact", methods: "POST"},
	{path: "/indexes/films/documents", methods: "GET POST PUT DELETE", body: "POST PUT", params: "offset limit fields retrieveVectors ids filter sort"},
	{path: "/indexes/films/documents/1", methods: "GET DELETE", params: "fields retrieveVectors"},
	{path: "/indexes/films/documents/fetch", methods: "POST", body: "POST", fields: "offset limit fields retrieveVectors ids filter sort"},
	{path: "/indexes/films/documents/delete-batch", methods: "POST", body: "POST"},
	{path: "/indexes/films/documents/delete", methods: "POST", body: "POST", fields: "filter"},
	{path: "/indexes/films/documents/edit", methods: "POST", body: "POST", fields: "function filter context"},
	{path: "/indexes/films/search", methods: "GET POST", body: "POST", params: "q limit offset page hitsPerPage filter sort facets matchingStrategy", fields: "q limit offset page hitsPerPage filter sort facets matchingStrategy showRankingScore attributesToSearchOn"},
	{path: "/indexes/films/facet-search", methods: "POST", body: "POST", fields: "facetName facetQuery"},
	{path: "/indexes/films/similar", methods: "GET POST", body: "POST", params: "id embedder limit", fields: "id embedder limit"},
	{path: "/multi-search", methods: "POST", body: "POST", fields: "queries federation"},
	{path: "/swap-indexes", methods: "POST", body: "POST"},
	{path: "/tasks", methods: "GET DELETE", params: "limit from uids statuses types indexUids canceledBy batchUids afterEnqueuedAt reverse"},
	{path: "/tasks/0", methods: "GET"},
	{path: "/tasks/0/documents", gated: true, methods: "GET"},
	{path: "/tasks/cancel", methods: "POST"},
	{path: "/tasks/compact", gated: true, methods: "POST"},
	{path: "/batches", methods: "GET", params: "limit from uids statuses types"},
	{path: "/batches/0", methods: "GET"},
	{path: "/dumps", methods: "POST"},
	{path: "/snapshots", methods: "POST"},
	{path: "/export", methods: "POST", body: "POST", fields: "url apiKey payloadSize indexes"},
	{path: "/metrics", gated: true, methods: "GET"},
	{path: "/logs/stream", gated: true, methods: "POST DELETE", body: "POST", fields: "target mode profileMemory"},
	{path: "/logs/stderr", gated: true, methods: "POST", body: "POST", fields: "target"},
	{path: "/experimental-features", methods: "GET PATCH", body: "PATCH", fields: "metrics containsFilter"},
	{path: "/network", gated: true, methods: "GET PATCH", body: "PATCH", fields: "remotes self leader shards"},
	{path: "/network/control", gated: true, methods: "POST", body: "POST"},
	{path: "/dynamic-search-rules", gated: true, methods: "POST DELETE", body: "POST", fields: "offset limit filter"},
	{path: "/dynamic-search-rules/r", gated: true, methods: "GET PATCH DELETE", body: "PATCH", fields: "description active"},
	{path: "/render-template", gated: true, methods: "POST", body: "POST", fields: "template input"},
	{path: "/chats", gated: true, methods: "GET"},
	{path: "/chats/w", gated: true, methods: "GET DELETE"},
	{path: "/chats/w/settings", gated: true, methods: "GET PATCH DELETE", body: "PATCH", fields: "source apiKey"},
	{path: "/chats/w/chat/completions", gated: true, methods: "POST", body: "POST", fields: "model messages"},
	{path: "/webhooks", methods: "GET POST", body: "POST", fields: "url headers"},
	{path: "/webhooks/6a4b7a4e-4a5e-4c58-8c0a-0a8f6d6a7c11", methods: "GET PATCH DELETE", body: "PATCH", fields: "url headers"},
	{path: "/indexes/films/settings", methods: "GET PATCH DELETE", body: "PATCH", fields: "stopWords synonyms rankingRules"},
	{path: "/indexes/films/settings/stop-words", methods: "GET PUT DELETE", body: "PUT"},
	{path: "/indexes/films/settings/synonyms", methods: "GET PUT DELETE", body: "PUT"},
	{path: "/indexes/films/settings/ranking-rules", methods: "GET PUT DELETE", body: "PUT"},
	{path: "/indexes/films/settings/typo-tolerance", methods: "GET PATCH DELETE", body: "PATCH", fields: "enabled disableOnWords"},
	{path: "/indexes/films/settings/pagination", methods: "GET PATCH DELETE", body: "PATCH", fields: "maxTotalHits"},
	{path: "/indexes/films/settings/embedders", methods: "GET PATCH DELETE", body: "PATCH"},
	{path: "/indexes/films/settings/chat", methods: "GET PATCH DELETE", body: "PATCH", fields: "description"},
	{path: "/indexes/films/settings/foreign-keys", methods: "GET PUT DELETE", body: "PUT"},
}

func has(list, name string) bool { return strings.Contains(" "+list+" ", " "+name+" ") }

// faultsOf are calls of a route that are wrong in one thing each, and those that are
// right and change nothing.
func faultsOf(r apiRoute) []apiCall {
	var out []apiCall
	add := func(method, path, body string, headers ...string) {
		out = append(out, apiCall{method: method, path: path, body: body, headers: headers})
	}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LOCK"} {
		if !has(r.methods, m) {
			add(m, r.path, "")
			add(m, r.path, `{}`)
		}
	}
	add("HEAD", r.path, "")
	for _, m := range strings.Fields(r.methods) {
		add(m, r.path+"/nothing", "")
		if m == "GET" {
			add(m, r.path, "")
			add(m, r.path+"/", "")
			add(m, "/"+r.path, "")
			add(m, strings.ReplaceAll(r.path, "/", "//"), "")
			add(m, r.path+"?", "")
			add(m, r.path+"?nope=1", "")
			add(m, r.path+"?nope", "")
			add(m, r.path+"?%FF=1", "")
			for _, p := range strings.Fields(r.params) {
				add(m, r.path+"?"+p+"s=1", "")
				add(m, r.path+"?"+p[1:]+"=1", "")
				add(m, r.path+"?"+p+"=1&"+p+"=2", "")
				add(m, r.path+"?"+p+"=%FF", "")
				add(m, r.path+"?"+p, "")
				add(m, r.path+"?"+p+"[]=1", "")
			}
		} else {
			add(m, strings.Replace(r.path, "films", "a%20b", 1)+"?nope=1", "")
		}
		if !has(r.body, m) {
			continue
		}
		none := []string{"Content-Type", ""}
		add(m, r.path, `{}`, none...)
		add(m, r.path, ``, none...)
		for _, kind := range []string{"text/plain", "text/plain; charset=utf-8", "application/JSON", "application/json; charset=utf-8",
			"application/json;charset=latin1", "application/vnd.api+json", "json", "application/x-www-form-urlencoded", "application/x-ndjson, application/json", ";"} {
			add(m, r.path, `{"nope":1`, "Content-Type", kind)
		}
		add(m, r.path, "", "Content-Type", "application/json")
		for _, body := range []string{" ", "{", "[", "nul", `"a`, `{"nope":1} x`, `{"nope":1}{}`, `{'a':1}`, `{"a":01}`, `{"a":1,}`, `[1,]`, `{"a" 1}`, "{\"a\":\"\xff\"}", "\ufeff{}", `{"a":"\ud800"}`, "{\"a\":\"\x01\"}",
			`null`, `true`, `1`, `-1`, `1.5`, `"x"`, `[]`, `[[]]`, `[{}]`, `[null]`, `{"nope":1}`, `{"nope":1,"also":2}`, `{"":1}`, `{"a":1e999}`,
			strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 127) + strings.Repeat("]", 127), strings.Repeat("[", 128) + strings.Repeat("]", 128), strings.Repeat("[", 200), strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), `{"nope":` + strings.Repeat("[", 100_000)} {
			add(m, r.path, body)
		}
		for _, f := range strings.Fields(r.fields) {
			add(m, r.path, fmt.Sprintf(`{"%ss":1}`, f))
			add(m, r.path, fmt.Sprintf(`{"%s":1}`, f[1:]))
			add(m, r.path, fmt.Sprintf(`{"%s":1}`, strings.ToUpper(f)))
			add(m, r.path, fmt.Sprintf(`{%q:{"a":[1]},"nope":1}`, f))
			add(m, r.path, fmt.Sprintf(`{"nope":1,%q:{"a":[1]}}`, f))
			add(m, r.path, fmt.Sprintf(`{%q:-1}`, f))
			add(m, r.path, fmt.Sprintf(`{%q:18446744073709551616}`, f))
			add(m, r.path, fmt.Sprintf(`{%q:true,%q:"\u0000\n"}`, f, f))
		}
	}
	return out
}

// lonely makes a connection for every request: a server may close one whose request
// it did not read to the end.
var lonely = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

// ask sends a call as it is.
func ask(t *testing.T, s fleet.API, c apiCall) *fleet.Answer {
	t.Helper()
	req, err := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(c.headers); i += 2 {
		req.Header.Set(c.headers[i], c.headers[i+1])
		if c.headers[i+1] == "" {
			req.Header.Del(c.headers[i])
		}
	}
	res, err := lonely.Do(req)
	if err != nil {
		t.Errorf("%s: %v", c, err)
		return &fleet.Answer{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", c, err)
	}
	return &fleet.Answer{Status: res.StatusCode, Header: res.Header, Body: body}
}

// saidBy is the part of an answer that must be the same: of what went well only the
// status and the type.
func saidBy(a *fleet.Answer) string {
	said := fmt.Sprintf("%d %q %q", a.Status, a.Header.Get("Content-Type"), a.Header.Get("Allow"))
	if a.Status >= 300 {
		said += "\n" + string(a.Body)
	}
	return said
}

// excused reports whether the answers to a call may differ from that of a server.
func excused(r apiRoute, c apiCall, want *fleet.Answer) bool {
	switch {
	case r.path == "/export": // is not served: only what is no JSON is refused alike
		return want.Code() != "malformed_payload" && want.Status != 404 && want.Status != 405 && want.Status != 415
	case r.gated:
		return want.Status == 400 && want.Code() != "feature_not_enabled"
	}
	return r.path == docsPath+"/delete" && strings.Contains(c.body, "18446744073709551616") // the number is written in another way
}

// said is one line of the golden file for each call: what a real server said, with
// the call, as a hash; "-" for calls whose answers may differ.
const saidFile = "testdata/routes.txt"

func hashOf(c apiCall, said string) string {
	sum := sha256.Sum256([]byte(c.String() + "\n" + said))
	return hex.EncodeToString(sum[:5])
}

// Every route says what is wrong with a call as one server does: bodies, types, names
// and methods that are wrong in one thing each. What a real server says is in the
// golden file, which MIROIR_UPDATE=1 writes anew where MEILISEARCH_BIN names one. Without
// one, and without MIROIR_LONG, an eighth of the calls is sent.
func TestEveryRouteSaysWhatIsWrongAsOneServerDoes(t *testing.T) {
	bin := os.Getenv("MEILISEARCH_BIN")
	f := fleet.Start(t, fleet.Options{Groups: 1, Real: bin})
	servers := []fleet.API{f.API}
	if bin != "" {
		servers = append(servers, fleet.StartNodeWithKey(t, "single", bin, "").API)
	}
	for _, s := range servers {
		s.Write(t, "POST", "/indexes", `{"uid":"films","primaryKey":"id"}`)
		s.Write(t, "POST", docsPath, `[{"id":1,"title":"Metropolis"}]`)
	}
	var golden []string
	if data, err := os.ReadFile(saidFile); err == nil {
		golden = strings.Fields(string(data))
	}
	var lines []string
	different := 0
	for _, r := range apiRoutes {
		for _, c := range faultsOf(r) {
			if bin == "" && os.Getenv("MIROIR_LONG") == "" && len(lines)%8 != 0 {
				lines = append(lines, "")
				continue
			}
			got, line := ask(t, f.API, c), ""
			if bin != "" {
				want := ask(t, servers[1], c)
				if line = "-"; !excused(r, c, want) {
					line = hashOf(c, saidBy(want))
				}
				if line != "-" && saidBy(got) != saidBy(want) {
					t.Errorf("%.300s\n  one server: %.600s\n  Miroir:     %.600s", c, saidBy(want), saidBy(got))
				}
			} else if len(lines) < len(golden) {
				line = golden[len(lines)]
			}
			if line != "-" && line != hashOf(c, saidBy(got)) {
				if different++; different <= 20 && bin == "" {
					t.Errorf("%.300s\n  is not answered as by a real server: %.600s", c, saidBy(got))
				}
			}
			lines = append(lines, line)
		}
	}
	t.Logf("%d calls, %d different", len(lines), different)
	if bin != "" && os.Getenv("MIROIR_UPDATE") != "" {
		if err := os.WriteFile(saidFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if bin != "" && !slices.Equal(lines, golden) {
		t.Error("the golden file is out of date: MIROIR_UPDATE=1 writes it anew")
	}
}
