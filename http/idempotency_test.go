package http

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

func TestAnIdempotencyKeyTellsRequestsApart(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.Keys = NewStaticKeys("secret", "") })
	const docs, body = "/indexes/films/documents", `[{"id":1}]`
	sent := func(method, path, body, contentType string, headers ...string) *messages.Idempotency {
		t.Helper()
		key := strings.Repeat("k", 254) + "~"
		headers = append([]string{"Content-Type", contentType, "Idempotency-Key", key, "Authorization", "Bearer secret"}, headers...)
		if r := send(t, s, method, path, body, headers...); r.status != 202 {
			t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
		i := door.writes[len(door.writes)-1].(writeMessage).Options().Idempotency
		if i == nil || i.Key != key || i.Owner != "master" || i.Request == "" {
			t.Fatalf("%s %s: %+v", method, path, i)
		}
		return i
	}
	first := sent("POST", docs, body, "application/json")
	zipped := &bytes.Buffer{}
	zip := gzip.NewWriter(zipped)
	if _, err := zip.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]*messages.Idempotency{
		"the request again":       sent("POST", docs, body, "application/json"),
		"with another id":         sent("POST", docs, body, "application/json", "X-Request-Id", "2"),
		"with other slashes":      sent("POST", "/indexes//films/documents/", body, "application/json"),
		"with a charset":          sent("POST", docs, body, "application/json; charset=utf-8"),
		"in another coding":       sent("POST", docs, zipped.String(), "application/json", "Content-Encoding", "gzip"),
		"with another user agent": sent("POST", docs, body, "application/json", "User-Agent", "x"),
	} {
		if same.Request != first.Request {
			t.Errorf("%s is another request", name)
		}
	}
	seen := map[string]string{first.Request: "the first"}
	for name, other := range map[string]*messages.Idempotency{
		"another method":  sent("PUT", docs, body, "application/json"),
		"another path":    sent("POST", "/indexes/books/documents", body, "application/json"),
		"a query":         sent("POST", docs+"?primaryKey=id", body, "application/json"),
		"another body":    sent("POST", docs, `[{"id":2}]`, "application/json"),
		"another type":    sent("POST", docs, body, "application/x-ndjson"),
		"a deletion":      sent("DELETE", docs+"/1", "", ""),
		"a clearing":      sent("DELETE", docs, "", ""),
		"settings":        sent("PATCH", "/indexes/films/settings", `{"stopWords":["a"]}`, "application/json"),
		"no settings":     sent("DELETE", "/indexes/films/settings", "", ""),
		"an index":        sent("POST", "/indexes", `{"uid":"a"}`, "application/json"),
		"a swap":          sent("POST", "/swap-indexes", `[{"indexes":["a","b"]}]`, "application/json"),
		"a batch deleted": sent("POST", docs+"/delete-batch", `[1]`, "application/json"),
		"a filter":        sent("POST", docs+"/delete", `{"filter":"a = 1"}`, "application/json"),
	} {
		if as, twice := seen[other.Request]; twice {
			t.Errorf("%s has the fingerprint of %s", name, as)
		}
		seen[other.Request] = name
	}
}

func TestWritesWithoutAKeyHaveNoFingerprint(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	send(t, s, "POST", "/indexes/films/documents", `[{"id":1}]`, asJSON...)
	if i := door.writes[0].(writeMessage).Options().Idempotency; i != nil {
		t.Errorf("%+v", i)
	}
}
