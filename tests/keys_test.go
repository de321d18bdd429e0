package tests

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/tests/fleet"
)

// keyedRoute is a route of the API, with what a token needs to be let in.
type keyedRoute struct {
	method, path string
	actions      string
	// listing routes name no index and are open to keys of some indexes.
	listing bool
}

// keyedRoutes are all routes of docs/compatibility.md that need a token. {task} and
// the like are what exists nowhere; the body that is sent is wrong, so that nothing is
// changed by those who are let in.
func keyedRoutes() []keyedRoute {
	var out []keyedRoute
	add := func(path, actions string, listing bool, methods ...string) {
		for _, m := range methods {
			out = append(out, keyedRoute{m, path, actions, listing})
		}
	}
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	add("/version", "version", false, get)
	add("/indexes", "indexes.get", true, get)
	add("/indexes", "indexes.create", true, post)
	add("/indexes/films", "indexes.get", false, get)
	add("/indexes/films", "indexes.update", false, patch)
	add("/swap-indexes", "indexes.swap", true, post)
	add("/indexes/films/documents", "documents.get", false, get)
	add("/indexes/films/documents", "documents.add", false, post, put)
	add("/indexes/films/documents/fetch", "documents.get", false, post)
	add("/indexes/films/documents/{id}", "documents.get", false, get)
	add("/indexes/films/documents/{id}", "documents.delete", false, del)
	add("/indexes/films/documents/delete-batch", "documents.delete", false, post)
	add("/indexes/films/documents/delete", "documents.delete", false, post)
	add("/indexes/films/documents/edit", "*", false, post)
	add("/indexes/films/compact", "indexes.compact", false, post)
	add("/indexes/films/search", "search", false, get, post)
	add("/indexes/films/facet-search", "search", false, post)
	add("/indexes/films/similar", "search", false, get, post)
	add("/multi-search", "search", true, post)
	add("/indexes/films/settings", "settings.get", false, get)
	add("/indexes/films/settings", "settings.update", false, patch, del)
	for _, s := range []struct{ path, verb string }{{"displayed-attributes", put}, {"faceting", patch}, {"embedders", patch}, {"chat", patch}, {"foreign-keys", put}} {
		add("/indexes/films/settings/"+s.path, "settings.get", false, get)
		add("/indexes/films/settings/"+s.path, "settings.update", false, s.verb)
	}
	add("/indexes/films/stats", "stats.get", false, get)
	add("/indexes/films/fields", "fields.post", false, post)
	add("/stats", "stats.get", true, get)
	add("/tasks", "tasks.get", true, get)
	add("/tasks/{task}", "tasks.get", true, get)
	add("/tasks", "tasks.delete", true, del)
	add("/tasks/cancel", "tasks.cancel", true, post)
	add("/tasks/{task}/documents", "tasks.get", true, get)
	add("/tasks/compact", "tasks.compact", false, post)
	add("/batches", "tasks.get", true, get)
	add("/batches/{batch}", "tasks.get", true, get)
	add("/webhooks", "webhooks.get", false, get)
	add("/webhooks", "webhooks.create", false, post)
	add("/webhooks/{uuid}", "webhooks.get", false, get)
	add("/webhooks/{uuid}", "webhooks.update", false, patch)
	add("/webhooks/{uuid}", "webhooks.delete", false, del)
	add("/keys", "keys.get", false, get)
	add("/keys", "keys.create", false, post)
	add("/keys/{key}", "keys.get", false, get)
	add("/keys/{key}", "keys.update", false, patch)
	add("/keys/{key}", "keys.delete", false, del)
	add("/dumps", "dumps.create", false, post)
	add("/snapshots", "snapshots.create", false, post)
	add("/experimental-features", "experimental.get", false, get)
	add("/experimental-features", "experimental.update", false, patch)
	add("/metrics", "metrics.get", false, get)
	add("/export", "export", false, post)
	add("/logs/stream", "metrics.get", false, post, del)
	add("/logs/stderr", "metrics.get", false, post)
	add("/network", "network.get", false, get)
	add("/network", "network.update", false, patch)
	add("/network/control", "network.update", false, post)
	add("/dynamic-search-rules", "dynamicSearchRules.get", false, post)
	add("/dynamic-search-rules", "dynamicSearchRules.delete", false, del)
	add("/dynamic-search-rules/{uid}", "dynamicSearchRules.get", false, get)
	add("/dynamic-search-rules/{uid}", "dynamicSearchRules.update", false, patch)
	add("/dynamic-search-rules/{uid}", "dynamicSearchRules.delete", false, del)
	add("/render-template", "settings.get documents.get", true, post)
	add("/chats", "chats.get", false, get)
	add("/chats/{workspace}", "chats.get", false, get)
	add("/chats/{workspace}", "chats.delete", false, del)
	add("/chats/{workspace}/settings", "chatsSettings.get", false, get)
	add("/chats/{workspace}/settings", "chatsSettings.update", false, patch, del)
	add("/chats/{workspace}/chat/completions", "chatCompletions", true, post)
	add("/indexes/films/documents", "documents.delete", false, del)
	add("/indexes/films", "indexes.delete", false, del)
	return out
}

// uidOf makes the uid of the key of that number: values of keys are then the same on
// every server.
func uidOf(n int) string { return fmt.Sprintf("6062abda-a5aa-4414-ac91-%012x", n) }

func makeKey(t *testing.T, s fleet.API, n int, indexes string, actions []string) {
	t.Helper()
	body := fmt.Sprintf(`{"uid":%q,"actions":["%s"],"indexes":[%s],"expiresAt":null}`, uidOf(n), strings.Join(actions, `","`), indexes)
	if a := s.Do(t, "POST", "/keys", body); a.Status != 201 {
		t.Fatalf("%s: %d %s", body, a.Status, a.Body)
	}
}

// outcomeOf is what an answer says about the token: the whole refusal, or that it was
// let in.
func outcomeOf(a *fleet.Answer) string {
	if a.Status == 401 || a.Status == 403 {
		return fmt.Sprintf("%d %s", a.Status, a.Body)
	}
	return "let in"
}

// Every route asks every kind of token for the same, with the same words as a real
// server, and lets the right ones in.
func TestKeysOnEveryRoute(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 1, MasterKey: apiMasterKey})
	servers := map[string]fleet.API{"Miroir": f.API}
	if bin := os.Getenv("MEILISEARCH_BIN"); bin != "" {
		servers["a real server"] = fleet.StartNodeWithKey(t, "real", bin, apiMasterKey).API
	}
	var plain []string
	for _, a := range auth.Actions() {
		if !strings.Contains(a, "*") {
			plain = append(plain, a)
		}
	}
	made := map[string]int{}
	key := func(indexes string, actions ...string) string {
		name := indexes + strings.Join(actions, " ")
		if made[name] == 0 {
			made[name] = len(made) + 1
			for _, s := range servers {
				makeKey(t, s, made[name], indexes, actions)
			}
		}
		return keyOf(uidOf(made[name]))
	}
	forbidden := func(text string) string {
		return `403 {"message":"` + text + `","code":"invalid_api_key","type":"auth","link":"https://docs.meilisearch.com/errors#invalid_api_key"}`
	}
	invalid := forbidden("The provided API key is invalid.")
	missing := `401 {"message":"The Authorization header is missing. It must use the bearer authorization method.","code":"missing_authorization_header",` +
		`"type":"auth","link":"https://docs.meilisearch.com/errors#missing_authorization_header"}`
	elsewhere := forbidden("The API key cannot acces the index `films`, authorized indexes are [\\\"other\\\"].")
	search := key(`"*"`, "search")
	tenant := sign(t, uidOf(made[`"*"search`]), search, map[string]any{"searchRules": []string{"*"}})
	forged := sign(t, uidOf(made[`"*"search`]), "not the secret", map[string]any{"searchRules": []string{"*"}})
	for _, r := range keyedRoutes() {
		actions := strings.Fields(r.actions)
		ofIndex := strings.HasPrefix(r.path, "/indexes/")
		others := slices.DeleteFunc(slices.Clone(plain), func(a string) bool { return a == actions[0] })
		if r.actions == "*" {
			others = append(others, "documents.*") // as in Meilisearch this route wants more
		}
		away := elsewhere
		if r.listing {
			away = "let in"
		} else if !ofIndex {
			away = invalid
		}
		byTenant := invalid
		if r.actions == "search" {
			byTenant = "let in"
		}
		for _, tc := range []struct{ name, token, want string }{
			{"no token", "", missing}, {"a wrong token", "wrong", invalid}, {"a wrong tenant token", forged, ""},
			{"a key without the action", key(`"*"`, others...), invalid}, {"a key of another index", key(`"other"`, "*"), away},
			{"the right key", key(`"*"`, actions...), "let in"}, {"a key of everything", key(`"*"`, "*"), "let in"},
			{"a tenant token", tenant, byTenant}, {"the master key", apiMasterKey, "let in"},
		} {
			got := map[string]string{}
			for name, s := range servers {
				s.Key = tc.token
				got[name] = outcomeOf(s.Do(t, r.method, r.path+"?nope=1", "{"))
				if tc.want == "" && !strings.HasPrefix(got[name], "403 ") || tc.want != "" && got[name] != tc.want {
					t.Errorf("%s: %s %s with %s:\ngot  %s\nwant %s", name, r.method, r.path, tc.name, got[name], tc.want)
				}
			}
			if real, there := got["a real server"]; there && real != got["Miroir"] {
				t.Errorf("%s %s with %s:\nMiroir: %s\nreal:   %s", r.method, r.path, tc.name, got["Miroir"], real)
			}
		}
	}
}

func sign(t *testing.T, uid, secret string, claims jwt.MapClaims) string {
	t.Helper()
	claims["apiKeyUid"] = uid
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The table above has every route that docs/compatibility.md names.
func TestKeysAreTriedOnEveryDocumentedRoute(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	plain := func(path string) string {
		path = strings.Replace(path, "/indexes/films", "/indexes/{uid}", 1)
		return regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "{}")
	}
	known := map[string]bool{"/": true, "/health": true, plain("/indexes/{uid}/settings/{setting}"): true}
	for _, r := range keyedRoutes() {
		known[plain(r.path)] = true
	}
	rows, inRow := regexp.MustCompile("(?m)^\\| (`/[^|]*) \\|"), regexp.MustCompile("`(/[^`]*)`")
	found := 0
	for _, row := range rows.FindAllStringSubmatch(string(text), -1) {
		for _, path := range inRow.FindAllStringSubmatch(row[1], -1) {
			found++
			if !known[plain(path[1])] {
				t.Errorf("%s is documented and not tried with keys", path[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d routes were found in the document", found)
	}
}

// keyedCall is one call by a token of some indexes, with a part of the answer.
type keyedCall struct {
	token, method, path, body string
	status                    int
	want                      string
}

// The indexes of these tests: a key of movies and m* may see nothing of books.
const (
	movieDocs = `[{"id":1,"genre":"drama","title":"one","_vectors":{"v":[1,0]}},{"id":2,"genre":"crime","title":"two","_vectors":{"v":[0.9,0.1]}},
		{"id":3,"genre":"drama","title":"three","_vectors":{"v":[0.8,0.2]}},{"id":4,"genre":"horror","title":"four","_vectors":{"v":[0,1]}}]`
	movieSettings = `{"filterableAttributes":["genre","id"],"sortableAttributes":["id"],"embedders":{"v":{"source":"userProvided","dimensions":2}}}`
)

// keyedSetup fills a server. Tasks: 0 and 1 are of movies, 2 and 3 of books, 4 is a swap.
func keyedSetup(t *testing.T, s fleet.API) {
	t.Helper()
	for _, w := range [][3]string{{"POST", "/indexes/movies/documents", movieDocs}, {"PATCH", "/indexes/movies/settings", movieSettings},
		{"POST", "/indexes/books/documents", `[{"id":1,"genre":"secret"}]`}, {"PUT", "/indexes/books/settings/filterable-attributes", `["genre"]`},
		{"POST", "/swap-indexes", `[{"indexes":["movies","books"]},{"indexes":["nothing","nowhere"]}]`}} {
		a := s.Do(t, w[0], w[1], w[2])
		if a.Status != 202 {
			t.Fatalf("%s: %d %s", w[1], a.Status, a.Body)
		}
		s.Finished(t, a.TaskUID())
	}
	makeKey(t, s, 1, `"movies","m*"`, []string{"search"})
	makeKey(t, s, 2, `"movies","m*"`, []string{"*"})
	makeKey(t, s, 3, `"movies"`, []string{"documents.add", "tasks.get"})
	makeKey(t, s, 4, `"*"`, []string{"search"})
	if a := s.Do(t, "DELETE", "/keys/"+uidOf(4), ""); a.Status != 204 {
		t.Fatalf("deletion of a key: %d %s", a.Status, a.Body)
	}
}

func keyedTokens(t *testing.T) map[string]string {
	t.Helper()
	of := func(n int, rules any) string {
		return sign(t, uidOf(n), keyOf(uidOf(n)), jwt.MapClaims{"searchRules": rules})
	}
	drama := map[string]any{"filter": "genre = drama"}
	return map[string]string{
		"search": keyOf(uidOf(1)), "all": keyOf(uidOf(2)), "add": keyOf(uidOf(3)),
		"drama":   of(1, map[string]any{"movies": drama}),
		"list":    of(1, map[string]any{"*": map[string]any{"filter": []any{"genre = drama", []string{"id = 1", "id = 2"}}}}),
		"exact":   of(1, map[string]any{"*": nil, "mov*": nil, "movies": drama}),
		"free":    of(1, []string{"*"}),
		"books":   of(1, []string{"books"}),
		"gone":    of(4, []string{"*"}),
		"cannot":  of(3, []string{"*"}),
		"invalid": of(1, map[string]any{"movies": map[string]any{"filter": "genre ="}}),
	}
}

const noSuchKey = "The provided API key is invalid."

// keyedCalls are what a token of some indexes might try.
func keyedCalls() []keyedCall {
	const search, multi = "/indexes/movies/search", "/multi-search"
	return []keyedCall{
		// A tenant's filter holds whatever the request says.
		{"drama", "POST", search, `{}`, 200, `"estimatedTotalHits":2`},
		{"drama", "GET", search, "", 200, `"estimatedTotalHits":2`},
		{"drama", "GET", search + "?filter=genre%20%3D%20crime", "", 200, `"hits":[]`},
		{"drama", "POST", search, `{"filter":"genre = crime OR id > 0"}`, 200, `"estimatedTotalHits":2`},
		{"drama", "POST", search, `{"filter":["genre = crime","id > 0"]}`, 200, `"hits":[]`},
		{"drama", "POST", search, `{"filter":[["genre = crime","id > 0"]]}`, 200, `"estimatedTotalHits":2`},
		{"drama", "POST", search, `{"filter":null}`, 200, `"estimatedTotalHits":2`},
		{"drama", "POST", search, `{"filter":"id = 3","filter":"id > 0"}`, 200, `"estimatedTotalHits":2`},
		{"drama", "POST", search, `{"f\u0069lter":"genre = crime"}`, 200, `"hits":[]`},
		{"drama", "POST", search, `{"filter":"genre = drama) OR (id > 0"}`, 400, `"code":"invalid_search_filter"`},
		{"drama", "POST", search, `{"filter":5}`, 400, `"code":"invalid_search_filter"`},
		{"drama", "POST", search, `{"facets":["genre"],"limit":0}`, 200, `"facetDistribution":{"genre":{"drama":2}}`},
		{"drama", "POST", search, `{"page":1,"hitsPerPage":1,"sort":["id:desc"]}`, 200, `"totalHits":2`},
		{"drama", "POST", search, `{"distinct":"genre"}`, 200, `"estimatedTotalHits":1`},
		{"list", "POST", search, `{}`, 200, `"estimatedTotalHits":1`},
		{"exact", "POST", search, `{}`, 200, `"estimatedTotalHits":2`},
		{"free", "POST", search, `{}`, 200, `"estimatedTotalHits":4`},
		{"invalid", "POST", search, `{}`, 400, `"code":"invalid_search_filter"`},
		{"drama", "POST", "/indexes/movies/facet-search", `{"facetName":"genre"}`, 200, `"facetHits":[{"value":"drama","count":2}]`},
		{"drama", "POST", "/indexes/movies/facet-search", `{"facetName":"genre","filter":"genre != drama"}`, 200, `"facetHits":[]`},
		{"drama", "POST", "/indexes/movies/similar", `{"id":1,"embedder":"v","attributesToRetrieve":["id"]}`, 200, `"hits":[{"id":3}]`},
		{"drama", "POST", "/indexes/movies/similar", `{"id":2,"embedder":"v"}`, 400, `"code":"not_found_similar_id"`},
		{"drama", "GET", "/indexes/movies/similar?id=4&embedder=v", "", 400, `"code":"not_found_similar_id"`},
		{"drama", "POST", "/indexes/movies/similar", `{"id":2,"embedder":"w"}`, 400, `"code":"invalid_similar_embedder"`},
		{"drama", "POST", "/indexes/movies/similar", `{"id":1,"embedder":"v","filter":"genre = crime"}`, 200, `"hits":[]`},
		{"drama", "POST", multi, `{"queries":[{"indexUid":"movies","filter":"genre = crime"},{"indexUid":"movies"}]}`, 200, `"hits":[]`},
		{"drama", "POST", multi, `{"federation":{},"queries":[{"indexUid":"movies","filter":"genre = crime"},{"indexUid":"movies","filter":"id = 3"}]}`, 200, `"estimatedTotalHits":1`},
		{"drama", "POST", multi, `{"federation":{"facetsByIndex":{"movies":["genre"]}},"queries":[{"indexUid":"movies"}]}`, 200, `{"genre":{"drama":2}}`},

		// A tenant only searches, and its key must be there and be allowed to.
		{"drama", "GET", "/indexes/movies/documents", "", 403, noSuchKey},
		{"drama", "POST", "/indexes/movies/documents/fetch", `{}`, 403, noSuchKey},
		{"drama", "GET", "/indexes", "", 403, noSuchKey},
		{"drama", "GET", "/stats", "", 403, noSuchKey},
		{"gone", "POST", search, `{}`, 403, noSuchKey},
		{"cannot", "POST", search, `{}`, 403, noSuchKey},

		// Another index is out of reach by every way of searching.
		{"search", "POST", "/indexes/books/search", `{}`, 403, "The API key cannot acces the index `books`"},
		{"free", "POST", "/indexes/books/search", `{}`, 403, "The API key used to generate this tenant token cannot acces the index `books`."},
		{"drama", "POST", "/indexes/mice/search", `{}`, 403, "The provided tenant token cannot acces the index `mice`"},
		{"books", "POST", "/indexes/books/search", `{}`, 403, "The API key used to generate this tenant token cannot acces the index `books`."},
		{"search", "POST", "/indexes/mice/search", `{}`, 404, "Index `mice` not found."},
		{"search", "POST", "/indexes/books/facet-search", `{"facetName":"genre"}`, 403, "cannot acces the index `books`"},
		{"search", "POST", "/indexes/books/similar", `{"id":1,"embedder":"v"}`, 403, "cannot acces the index `books`"},
		{"search", "POST", multi, `{"queries":[{"indexUid":"movies"},{"indexUid":"books"}]}`, 403, "Inside `.queries[1]`: " + noSuchKey},
		{"search", "POST", multi, `{"queries":[{"indexUid":"movies","federationOptions":{}},{"indexUid":"books"}]}`, 403, "Inside `.queries[1]`: " + noSuchKey},
		{"search", "POST", multi, `{"federation":{},"queries":[{"indexUid":"movies"},{"indexUid":"books"}]}`, 403, "Inside `.queries[1]`: " + noSuchKey},
		{"books", "POST", multi, `{"federation":{},"queries":[{"indexUid":"books"}]}`, 403, "Inside `.queries[0]`: " + noSuchKey},
		{"search", "POST", multi, `{"federation":{"facetsByIndex":{"books":["genre"]}},"queries":[{"indexUid":"movies"}]}`, 200, `"estimatedTotalHits":4`},

		// And by every other route.
		{"all", "GET", "/indexes", "", 200, `"total":1}`},
		{"all", "GET", "/indexes/books", "", 403, "The API key cannot acces the index `books`, authorized indexes are [\\\"m*\\\", \\\"movies\\\"]."},
		{"all", "POST", "/indexes", `{"uid":"books2"}`, 403, noSuchKey},
		{"all", "POST", "/swap-indexes", `[{"indexes":["movies","books"]}]`, 403, noSuchKey},
		{"all", "POST", "/swap-indexes", `[{"indexes":["movies","mice"]},{"indexes":["books","more"],"rename":true}]`, 403, noSuchKey},
		{"all", "DELETE", "/indexes/books", "", 403, "cannot acces the index `books`"},
		{"all", "GET", "/indexes/books/documents/1", "", 403, "cannot acces the index `books`"},
		{"all", "GET", "/stats", "", 200, `"numberOfDocuments":4`},
		{"all", "GET", "/tasks", "", 200, `"total":5`}, // of all tasks, as in Meilisearch
		{"all", "GET", "/tasks", "", 200, `"from":1`},
		{"all", "GET", "/batches", "", 200, `"total":5`},
		{"all", "GET", "/batches", "", 200, `"from":1`},
		{"all", "GET", "/tasks/0", "", 200, `"indexUid":"movies"`},
		{"all", "GET", "/tasks/2", "", 404, "Task `2` not found."},
		{"all", "GET", "/tasks/4", "", 404, "Task `4` not found."},
		{"all", "GET", "/batches/2", "", 404, "Batch `2` not found."},
		{"all", "GET", "/tasks?uids=2,3,4", "", 200, `"results":[]`},
		{"all", "GET", "/tasks?indexUids=books", "", 200, `"results":[]`},
		{"all", "GET", "/batches?uids=2,3", "", 200, `"results":[]`},
		{"all", "POST", "/dumps", "", 403, noSuchKey},
		{"all", "GET", "/keys", "", 403, noSuchKey},
		{"all", "POST", "/keys", `{"actions":["*"],"indexes":["*"],"expiresAt":null}`, 403, noSuchKey},
		{"all", "PATCH", "/experimental-features", `{"metrics":true}`, 403, noSuchKey},
		{"add", "POST", "/indexes/books/documents", `[{"id":9}]`, 403, "cannot acces the index `books`"},
	}
}

// A token of some indexes gets nothing of the others, by whichever way it tries, and a
// tenant nothing that its filter hides. The answers are those of a real server.
func TestTokensCannotGetPastTheirLimits(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 2, Shards: 4, MasterKey: apiMasterKey})
	keyedSetup(t, f.API)
	var real *fleet.API
	if bin := os.Getenv("MEILISEARCH_BIN"); bin != "" {
		real = &fleet.StartNodeWithKey(t, "real", bin, apiMasterKey).API
		keyedSetup(t, *real)
	}
	tokens := keyedTokens(t)
	as := func(s fleet.API, token string) fleet.API { s.Key = tokens[token]; return s }
	for _, c := range keyedCalls() {
		got := as(f.API, c.token).Do(t, c.method, c.path, c.body)
		if text := string(got.Body); got.Status != c.status || !strings.Contains(text, c.want) || got.Status == 200 && (strings.Contains(text, "books") || strings.Contains(text, "secret")) {
			t.Errorf("%s: %s %s %s\nis %d %s", c.token, c.method, c.path, c.body, got.Status, got.Body)
		}
		if real == nil {
			continue
		}
		want := as(*real, c.token).Do(t, c.method, c.path, c.body)
		if want.Status != c.status || !strings.Contains(string(want.Body), c.want) {
			t.Errorf("a real server, %s: %s %s %s\nis %d %s", c.token, c.method, c.path, c.body, want.Status, want.Body)
		}
		if c.status != 200 && string(got.Body) != string(want.Body) {
			t.Errorf("%s: %s %s %s\nMiroir: %s\nreal:   %s", c.token, c.method, c.path, c.body, got.Body, want.Body)
		}
	}
	// Unlike a real server, Miroir lets no key give its index a name that it does not allow.
	if a := as(f.API, "all").Do(t, "PATCH", "/indexes/movies", `{"uid":"books2"}`); a.Status != 403 {
		t.Errorf("a key moves its index out of its own reach: %d %s", a.Status, a.Body)
	}
	// Choosing tasks of others chooses nothing.
	for _, verb := range [][2]string{{"DELETE", "/tasks?uids=2,3"}, {"POST", "/tasks/cancel?uids=2,3"}} {
		a := as(f.API, "all").Do(t, verb[0], verb[1], "")
		if task := f.Finished(t, a.TaskUID()); !strings.Contains(string(task.Details), `"matchedTasks":0`) {
			t.Errorf("%s %s: %s", verb[0], verb[1], task.Details)
		}
	}
	// A key that may not make indexes makes none by writing to one.
	if a := f.Do(t, "DELETE", "/indexes/movies", ""); a.Status != 202 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	a := as(f.API, "add").Do(t, "POST", "/indexes/movies/documents", `[{"id":1}]`)
	if task := f.Finished(t, a.TaskUID()); task.Status != "failed" || !strings.Contains(string(task.Error), "index_not_found") {
		t.Errorf("a key without indexes.create makes an index: %s %s", task.Status, task.Error)
	}
	// Tasks of an index that is gone are still those of the key that names it.
	if a := as(f.API, "all").Do(t, "GET", "/tasks/0", ""); a.Status != 200 {
		t.Errorf("a task of a deleted index: %d %s", a.Status, a.Body)
	}
	// A key that expires meanwhile ends at once, and its tenants with it.
	fleet.Eventually(t, 30*time.Second, "making of a key that ends soon", func() error {
		until := time.Now().Add(1500 * time.Millisecond).UTC().Format(time.RFC3339Nano)
		body := fmt.Sprintf(`{"uid":%q,"actions":["search"],"indexes":["*"],"expiresAt":%q}`, uidOf(5), until)
		if a := f.Do(t, "POST", "/keys", body); a.Status != 201 { // too slow: it had ended before it came
			return fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return nil
	})
	tokens["short"], tokens["tenant of short"] = keyOf(uidOf(5)), sign(t, uidOf(5), keyOf(uidOf(5)), jwt.MapClaims{"searchRules": []string{"*"}})
	for _, token := range []string{"short", "tenant of short"} {
		fleet.Eventually(t, 30*time.Second, "end of a key", func() error {
			if a := as(f.API, token).Do(t, "POST", "/indexes/books/search", `{}`); a.Status != 403 || !strings.Contains(string(a.Body), noSuchKey) {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		})
	}
	if log := f.Log(); strings.Contains(log, tokens["search"]) || strings.Contains(log, tokens["drama"]) || strings.Contains(log, apiMasterKey) {
		t.Error("the log holds a key")
	}
}
