package fleet

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Relay stands between Miroir and a node: it counts calls and can refuse some.
type Relay struct {
	URL string

	mu     sync.Mutex
	calls  map[string]int
	refuse func(r *http.Request) bool
}

// NewRelay starts a relay in front of a node.
func NewRelay(t testing.TB, node string) *Relay {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{calls: make(map[string]int)}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.note(q) {
			panic(http.ErrAbortHandler) // the connection breaks, as of a machine that went away
		}
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Relay) note(q *http.Request) (refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind := q.Method + " " + q.URL.Path
	switch {
	case strings.HasSuffix(q.URL.Path, "/search"):
		kind = "search"
	case IsWrite(q):
		kind = "write"
	}
	r.calls[kind]++
	return r.refuse != nil && r.refuse(q)
}

// Calls counts the calls of a kind since Reset: "search", "write", or a method
// and a path.
func (r *Relay) Calls(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[kind]
}

// Reset forgets the calls so far.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.calls)
}

// Refuse breaks the connection of requests for which f is true; nil ends that.
func (r *Relay) Refuse(f func(r *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = f
}

// IsWrite tells writes of documents from all other requests.
func IsWrite(q *http.Request) bool {
	return q.Method != http.MethodGet && strings.Contains(q.URL.Path, "/documents") && !strings.HasSuffix(q.URL.Path, "/fetch")
}
