package http

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/webhooks"
)

// Whatever is sent to whatever route, the answer is one of the API: no panic, and an
// error with a code where it is one.
func FuzzRequests(f *testing.F) {
	st, err := store.Open(f.Context(), store.Options{Ephemeral: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := st.Close(); err != nil {
			f.Error(err)
		}
	})
	hooks, err := webhooks.Open(f.Context(), webhooks.Options{Store: st, Encode: TaskJSON})
	if err != nil {
		f.Fatal(err)
	}
	door := newFakeDoor()
	door.features = map[string]bool{}
	for _, feature := range api.Features() {
		door.features[feature.Key] = true
	}
	s := New(Options{Door: door, Webhooks: hooks})
	paths := make([]string, 0, len(s.methods))
	for path := range s.methods {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for i, path := range paths { // every method of every route
		for m, method := range apiMethods {
			if slices.Contains(s.methods[path], method) {
				f.Add(uint8(m), uint16(i), "films", "limit=1", "application/json", []byte(`{"q":"a"}`)) //nolint:gosec // there are some dozens
			}
		}
	}
	f.Add(uint8(1), uint16(0), "a%2F b", "csvDelimiter=;", "text/csv", []byte("id,a\n1,2"))
	f.Fuzz(func(t *testing.T, method uint8, path uint16, param, query, contentType string, body []byte) {
		if strings.Contains(paths[int(path)%len(paths)], "metrics") {
			return
		}
		parts := strings.Split(paths[int(path)%len(paths)], "/")
		for i := range parts {
			if strings.HasPrefix(parts[i], ":") {
				parts[i] = param
			}
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(string(body)))
		r.Method = apiMethods[int(method)%len(apiMethods)]
		r.URL.Path, r.URL.RawQuery = strings.Join(parts, "/"), query
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 {
			t.Fatalf("%s %s?%s %q is %d %s", r.Method, r.URL.Path, query, body, w.Code, w.Body)
		}
		var e struct{ Message, Code, Type, Link string }
		if w.Code >= 400 && w.Body.Len() > 0 && (json.Unmarshal(w.Body.Bytes(), &e) != nil || e.Code == "" || e.Message == "" || e.Type == "" || e.Link == "") {
			t.Fatalf("%s %s?%s %q is %d %s", r.Method, r.URL.Path, query, body, w.Code, w.Body)
		}
		door.mu.Lock()
		door.reads, door.writes, door.queries = nil, nil, nil
		door.mu.Unlock()
	})
}
