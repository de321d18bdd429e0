package http

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/webhooks"
)

func withHooks(t *testing.T, o webhooks.Options) *Server {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Store, o.Encode = s, TaskJSON
	hooks, err := webhooks.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hooks.Close(t.Context()) })
	return start(t, newFakeDoor(), func(o *Options) { o.Webhooks = hooks })
}

func TestWebhooksAreDefinedChangedAndTakenAway(t *testing.T) {
	s := withHooks(t, webhooks.Options{URL: "https://example.com/", Authorization: "Bearer a-secret-token"})
	const own = `{"uuid":"00000000-0000-0000-0000-000000000000","isEditable":false,"url":"https://example.com/","headers":{"Authorization":"Bearer a-XXXX..."}}`
	r := send(t, s, "POST", "/webhooks", `{"url":"https://a.example","headers":{"authorization":"0123456789","b":"1"}}`, asJSON...)
	id, _, _ := strings.Cut(strings.TrimPrefix(r.body, `{"uuid":"`), `"`)
	if want := `{"uuid":"` + id + `","isEditable":true,"url":"https://a.example","headers":{"authorization":"01XXXX...","b":"1"}}`; r.status != 201 || len(id) != 36 || r.body != want {
		t.Fatalf("%d %s", r.status, r.body)
	}
	changed := `{"uuid":"` + id + `","isEditable":true,"url":"https://a.example","headers":{"authorization":"01XXXX...","c":"2"}}`
	for _, q := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PATCH", "/webhooks/" + id, `{"headers":{"b":null,"c":"2"}}`, 200, changed},
		{"GET", "/webhooks/" + strings.ToUpper(id), "", 200, changed},
		{"GET", "/webhooks", "", 200, `{"results":[` + own + `,` + changed + `]}`},
		{"PATCH", "/webhooks/" + id, `{"headers":null,"url":"https://b.example"}`, 200, `{"uuid":"` + id + `","isEditable":true,"url":"https://b.example","headers":{}}`},
		{"DELETE", "/webhooks/" + id, "", 204, ""},
		{"GET", "/webhooks", "", 200, `{"results":[` + own + `]}`},
	} {
		r := send(t, s, q.method, q.path, q.body, asJSON...)
		if r.status != q.status || r.body != q.want {
			t.Errorf("%s %s is %d %s, want %d %s", q.method, q.path, r.status, r.body, q.status, q.want)
		}
		if kind := r.header.Get("Content-Type"); (kind == "") != (q.status == 204) {
			t.Errorf("%s %s has the type %q", q.method, q.path, kind)
		}
	}
}

func TestWebhooksAreRefusedInMeilisearchsWords(t *testing.T) {
	const own, none = "00000000-0000-0000-0000-000000000000", "6a4b7a4e-4a5e-4c58-8c0a-0a8f6d6a7c11"
	s := withHooks(t, webhooks.Options{})
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("%q:\"1\"", fmt.Sprintf("h%d", i))
	}
	for name, q := range map[string]struct {
		method, path, body string
		status             int
		code, message      string
	}{
		"one that is not there":      {"GET", "/webhooks/" + none, "", 404, "webhook_not_found", "Webhook `" + none + "` not found."},
		"changing one that is not":   {"PATCH", "/webhooks/" + none, `{}`, 404, "webhook_not_found", "Webhook `" + none + "` not found."},
		"deleting one that is not":   {"DELETE", "/webhooks/" + none, "", 404, "webhook_not_found", "Webhook `" + none + "` not found."},
		"changing the operator's":    {"PATCH", "/webhooks/" + own, `{}`, 400, "immutable_webhook", "Webhook `" + own + "` is immutable. The webhook defined from the command line cannot be modified using the API."},
		"deleting the operator's":    {"DELETE", "/webhooks/" + own, "", 400, "immutable_webhook", ""},
		"no url":                     {"POST", "/webhooks", `{}`, 400, "invalid_webhook_url", ""},
		"a url that is none":         {"POST", "/webhooks", `{"url":"nope"}`, 400, "invalid_webhook_url", "Invalid URL `nope`: relative URL without a base"},
		"a url of another kind":      {"POST", "/webhooks", `{"url":1}`, 400, "invalid_webhook_url", "Invalid value type at `.url`: expected a string, but found a positive integer: `1`"},
		"a header name that is none": {"POST", "/webhooks", `{"url":"https://a.example","headers":{"a b":"1"}}`, 400, "invalid_webhook_headers", "Invalid header name `a b`: invalid HTTP header name"},
		"too many headers":           {"POST", "/webhooks", `{"url":"https://a.example","headers":{` + strings.Join(many, ",") + `}}`, 400, "invalid_webhook_headers", ""},
		"a member that is fixed":     {"POST", "/webhooks", `{"uuid":"x"}`, 400, "immutable_webhook_uuid", "Immutable field `uuid`: expected one of `url`, `headers`"},
		"a member that is not known": {"POST", "/webhooks", `{"urls":"x"}`, 400, "bad_request", "Unknown field `urls`: did you mean `url`? expected one of `url`, `headers`"},
		"no uuid":                    {"GET", "/webhooks/x", "", 400, "invalid_webhook_uuid", "Invalid UUID: invalid character: found `x` at 0"},
	} {
		r := send(t, s, q.method, q.path, q.body, asJSON...)
		if code := r.code(t); r.status != q.status || code != q.code || !strings.Contains(r.body, strings.ReplaceAll(q.message, `"`, `\"`)) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for range 20 {
		if r := send(t, s, "POST", "/webhooks", `{"url":"https://a.example"}`, asJSON...); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if r := send(t, s, "POST", "/webhooks", `{"url":"https://a.example"}`, asJSON...); r.status != 400 || r.code(t) != "invalid_webhooks" {
		t.Errorf("the 21st webhook: %d %s", r.status, r.body)
	}
}
