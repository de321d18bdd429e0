package embedded_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// FuzzRequests sends arbitrary bodies everywhere: whatever they hold, the node answers, and never with 500 for a fault
// of its own.
func FuzzRequests(f *testing.F) {
	routes := []string{"POST /indexes/films/search", "POST /multi-search", "POST /indexes/films/facet-search", "PATCH /indexes/films/settings",
		"POST /indexes/films/documents", "PUT /indexes/films/documents", "POST /indexes/films/documents/delete-batch",
		"POST /indexes/films/documents/delete", "POST /indexes/films/documents/fetch", "POST /swap-indexes", "POST /keys",
		"PATCH /indexes/films", "POST /indexes", "PATCH /experimental-features", "POST /indexes/films/similar"}
	for i, body := range []string{`{"q":"a","filter":[["year > 1"],"x"]}`, `{"queries":[{"indexUid":"films"}],"federation":{}}`, `{"facetName":"x"}`,
		`{"embedders":{"a":{"source":"userProvided","dimensions":1}}}`, `[{"id":1,"_geo":{"lat":1,"lng":2},"_vectors":{"a":[1]}}]`,
		strings.Repeat("[", 300), `{"a":1e999}`, `[{"id":"\ud800"}]`, `{"filter":"((((a=1"}`, `[{"indexes":["a","b"]}]`} {
		f.Add(uint8(i), body)
	}
	node := embedded.RunT(f, embedded.Options{Window: -1, MaxPayload: 1 << 20})
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		method, path, _ := strings.Cut(routes[int(which)%len(routes)], " ")
		r, err := http.NewRequestWithContext(context.Background(), method, "http://node"+path, strings.NewReader(body))
		if err != nil {
			t.Skip(err)
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := node.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || strings.Contains(string(answer), "An internal error has occurred") {
			t.Fatalf("%s %s: %v %s", method, path, err, answer)
		}
		if err := node.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := client{t: t, node: node}
		if _, tasks := c.send("GET", "/tasks?limit=1", ""); strings.Contains(tasks, "unexpected crash") {
			t.Fatal(tasks)
		}
	})
}
