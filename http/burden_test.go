package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

func queries(n int, query string) string {
	return `{"queries":[` + strings.Repeat(query+",", n-1) + query + `]}`
}

const oneSearch = `{"indexUid":"films","q":"a"}`

func TestTooManyQueriesAreRefused(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxQueries = 10 })
	if r := send(t, s, "POST", "/multi-search", queries(10, oneSearch), asJSON...); r.status != 200 || strings.Count(r.body, `"indexUid"`) != 10 {
		t.Errorf("ten queries are %d %s", r.status, r.body)
	}
	before := door.called()
	for _, body := range []string{queries(11, oneSearch), strings.Replace(queries(11, oneSearch), "{", `{"federation":{},`, 1), queries(100_000, `{"x":1}`)} {
		r := send(t, s, "POST", "/multi-search", body, asJSON...)
		if r.status != 413 || r.code(t) != "payload_too_large" || !strings.Contains(r.body, "at most 10 queries, this one has 1") {
			t.Errorf("%.60s is %d %s", body, r.status, r.body)
		}
	}
	if door.called() != before {
		t.Error("the door was called")
	}
}

func TestQueriesBehindAFailedOneAreNotAsked(t *testing.T) {
	door := newFakeDoor()
	var asked atomic.Int64
	door.answer = func(_ context.Context, msg any) *messages.Answer {
		asked.Add(1)
		if m, ok := msg.(*messages.Search); ok && m.IndexUID == "none" {
			return &messages.Answer{Err: api.IndexNotFound("none")}
		}
		time.Sleep(5 * time.Millisecond) // all of them would take three seconds
		return &messages.Answer{Body: []byte(`{}`)}
	}
	s := start(t, door, nil)
	body := strings.Replace(queries(5000, oneSearch), `{"indexUid":"films"`, `{"indexUid":"none"`, 1)
	r := send(t, s, "POST", "/multi-search", body, asJSON...)
	if r.status != 400 || !strings.Contains(r.body, "Inside `.queries[0]`: Index `none` not found.") {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if n := asked.Load(); n >= 5000 {
		t.Errorf("%d queries were asked", n)
	}
}

func TestAnswersOfAMultiSearchCountAgainstTheBudget(t *testing.T) {
	door := newFakeDoor()
	large := []byte(`{"hits":["` + strings.Repeat("a", 1<<20) + `"]}`)
	door.answer = func(context.Context, any) *messages.Answer { return &messages.Answer{Body: large} }
	s := start(t, door, func(o *Options) { o.MaxBodies, o.MaxWait = 20<<20, time.Millisecond })
	if r := send(t, s, "POST", "/multi-search", queries(15, oneSearch), asJSON...); r.status != 200 {
		t.Errorf("15 MiB are %d %.300s", r.status, r.body)
	}
	if r := send(t, s, "POST", "/multi-search", queries(100, oneSearch), asJSON...); r.status != 503 || r.code(t) != "miroir_overloaded" {
		t.Errorf("100 MiB are %d %.300s", r.status, r.body)
	}
	eventually(t, func() bool { return s.bodies.Load() == 0 })
}

func TestValuesOfJSONTakeTheirPartOfTheBudget(t *testing.T) {
	s := start(t, newFakeDoor(), func(o *Options) { o.MaxBodies = 50 << 20 })
	many := "[" + strings.Repeat("1,", 500_000) + "1]"
	for path, body := range map[string]string{"/multi-search": `{"queries":` + many + `}`, "/indexes/films/settings/stop-words": many, "/indexes/films/documents/delete": `{"filter":` + many + `}`,
		"/swap-indexes": many, "/indexes": `{"uid":` + many + `}`} {
		method := "POST"
		if strings.Contains(path, "settings") {
			method = "PUT"
		}
		if r := send(t, s, method, path, body, asJSON...); r.status != 413 || r.code(t) != "payload_too_large" || !strings.Contains(r.body, "too many values") {
			t.Errorf("%s is %d %.300s", path, r.status, r.body)
		}
	}
	words := `["` + strings.Repeat(`a","`, 50_000) + `b"]`
	if r := send(t, s, "PUT", "/indexes/films/settings/stop-words", words, asJSON...); r.status != 202 {
		t.Errorf("50,000 words are %d %.300s", r.status, r.body)
	}
	eventually(t, func() bool { return s.bodies.Load() == 0 })
}

func TestHugeFiltersAreRefused(t *testing.T) {
	door := newFakeDoor()
	door.features = map[string]bool{"editDocumentsByFunction": true}
	s := start(t, door, nil)
	text := `"` + strings.Repeat("year = 1 OR ", 4000) + `year = 2"`
	list := "[" + strings.Repeat(`"year = 1",`, 4000) + `"year = 2"]`
	in := `"year IN [` + strings.Repeat("1,", 20_000) + `1]"`
	for path, q := range map[string]struct{ body, code string }{
		"/indexes/films/search":           {`{"filter":%s}`, "invalid_search_filter"},
		"/indexes/films/facet-search":     {`{"facetName":"a","filter":%s}`, "invalid_search_filter"},
		"/indexes/films/similar":          {`{"id":1,"embedder":"e","filter":%s}`, "invalid_similar_filter"},
		"/indexes/films/documents/fetch":  {`{"filter":1,"filter":%s}`, "invalid_document_filter"},
		"/indexes/films/documents/delete": {`{"filter":%s}`, "invalid_document_filter"},
		"/indexes/films/documents/edit":   {`{"function":"a","filter":%s}`, "invalid_document_filter"},
		"/multi-search":                   {`{"queries":[{"indexUid":"films","filter":%s}]}`, "invalid_search_filter"},
	} {
		for _, filter := range []string{text, list, "[" + list + "]", strings.ToLower(text)} {
			r := send(t, s, "POST", path, fmt.Sprintf(q.body, filter), asJSON...)
			if r.status != 400 || r.code(t) != q.code || !strings.Contains(r.body, "at most 4000 conditions, this one has about 4001") {
				t.Errorf("%s is %d %.300s", path, r.status, r.body)
			}
		}
		if door.called() != 0 {
			t.Errorf("%s: the door was called", path)
		}
		if r := send(t, s, "POST", path, fmt.Sprintf(q.body, in), asJSON...); r.status > 202 || door.called() != 1 {
			t.Errorf("a long list at %s is %d %.300s", path, r.status, r.body)
		}
		door.reads, door.writes = nil, nil
	}
}

// Clients that send slowly hold their connection, and nothing else, until their time
// is over.
func TestSlowClientsHoldNothing(t *testing.T) {
	s := start(t, newFakeDoor(), func(o *Options) { o.ReadHeaderTimeout, o.ReadTimeout = 2*time.Second, 3*time.Second })
	const jsonType = "Content-Type: application/json\r\n"
	var wg sync.WaitGroup
	for i, begin := range []string{"GET /hea", "GET /health HTTP/1.1\r\nHost: a\r\nX-A: ", request("POST", "/indexes/films/search", jsonType+"Content-Length: 100\r\n", "{"),
		request("POST", "/indexes/films/documents", jsonType+"Transfer-Encoding: chunked\r\n", "1\r\n[\r\n")} {
		for range 10 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				conn, err := net.Dial("tcp", s.Addr())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				if _, err := conn.Write([]byte(begin)); err != nil {
					t.Error(err)
					return
				}
				buf := make([]byte, 4096)
				if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
					t.Error(err)
				}
				for {
					if _, err := conn.Read(buf); err != nil {
						var wait net.Error
						if errors.As(err, &wait) && wait.Timeout() {
							t.Errorf("case %d: the connection is held", i)
						}
						return
					}
				}
			}()
		}
	}
	if r := send(t, s, "GET", "/health", ""); r.status != 200 {
		t.Errorf("another client got %d", r.status)
	}
	wg.Wait()
	eventually(t, func() bool { return s.bodies.Load() == 0 && len(s.places) == 0 })
}
