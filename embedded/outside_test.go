package embedded_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/miroir-search/miroir/embedded"
)

func uuidOf(t *testing.T, body string) string {
	t.Helper()
	var v struct{ UUID string }
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.UUID == "" {
		t.Fatalf("no uuid in %s: %v", body, err)
	}
	return v.UUID
}

func TestWebhooksHearOfFinishedTasks(t *testing.T) {
	heard := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, err := io.ReadAll(z)
		if err != nil || r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%v, headers %v", err, r.Header)
		}
		heard <- r.Header.Get("X-Own") + " " + string(data)
	}))
	defer server.Close()
	c := start(t, embedded.Options{})
	if code, body := c.send("POST", "/webhooks", `{"url":"`+server.URL+`","headers":{"X-Own":"yes"}}`); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	c.node.PauseTasks()
	c.send("POST", "/indexes/a/documents", `[{"id":1}]`)
	c.send("POST", "/indexes/a/documents", `[{"id":2}]`)
	c.node.ResumeTasks()
	got := <-heard
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(got, "yes ")), "\n")
	if len(lines) != 2 || !strings.HasPrefix(got, "yes ") {
		t.Fatalf("heard %q", got)
	}
	for i, line := range lines {
		var task task
		if err := json.Unmarshal([]byte(line), &task); err != nil || task.UID != i || task.Status != "succeeded" {
			t.Errorf("line %d is %s: %v", i, line, err)
		}
	}
}

// A webhook that never answers costs a bounded amount, and the node ends without waiting for it.
func TestASlowWebhookPilesUpNothing(t *testing.T) {
	release, heard := make(chan struct{}), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case heard <- struct{}{}:
		default:
		}
		<-release
	}))
	defer server.Close()
	defer close(release)
	log, hook := logtest.NewNullLogger()
	c := start(t, embedded.Options{Logger: log})
	c.want("POST", "/webhooks", `{"url":"`+server.URL+`"}`, 201, "")
	c.task("POST", "/indexes", `{"uid":"a"}`)
	<-heard
	before := runtime.NumGoroutine()
	for range 100 {
		c.task("DELETE", "/indexes/none", "")
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines more than before", more)
	}
	dropped := func() (n int) {
		for _, e := range hook.AllEntries() {
			if strings.Contains(e.Message, "drops") {
				n++
			}
		}
		return n
	}
	// The webhooks hear of a task after its end can be seen.
	for until := time.Now().Add(10 * time.Second); dropped() < 100-64 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if n := dropped(); n != 100-64 {
		t.Errorf("%d batches were dropped, want 36", n)
	}
	c.node.Stop()
}

func TestRefusalsWithTheirFeaturesOn(t *testing.T) {
	c := start(t, embedded.Options{})
	c.task("PATCH", "/indexes/a/settings", `{"embedders":{"e":{"source":"userProvided","dimensions":2}}}`)
	for path, body := range map[string]string{"search": `{"hybrid":{"embedder":"e"},"media":{"a":1}}`, "search ": `{"useNetwork":true}`,
		"documents/fetch": `{"useNetwork":true}`} {
		path = "/indexes/a/" + strings.TrimSpace(path)
		c.want("PATCH", "/experimental-features", `{"multimodal":false,"network":false}`, 200, "")
		if code, answer := c.send("POST", path, body); code != 400 || !strings.Contains(answer, `"feature_not_enabled"`) {
			t.Errorf("%s %s with the feature off: %d %s", path, body, code, answer)
		}
		c.want("PATCH", "/experimental-features", `{"multimodal":true,"network":true}`, 200, "")
		if code, answer := c.send("POST", path, body); code != 501 || !strings.Contains(answer, `"miroir_not_supported"`) {
			t.Errorf("%s %s with the feature on: %d %s", path, body, code, answer)
		}
	}
}

// What could not be written is not in force.
func TestWhatTheStoreRefusesIsNotInForce(t *testing.T) {
	c := start(t, embedded.Options{Dir: t.TempDir()})
	c.want("PATCH", "/experimental-features", `{"chatCompletions":true,"network":true}`, 200, "")
	c.node.PauseTasks()
	for _, q := range [][4]string{
		{"PATCH", "/experimental-features", `{"metrics":true}`, "/experimental-features"},
		{"POST", "/webhooks", `{"url":"https://a.example"}`, "/webhooks"},
		{"PATCH", "/chats/a/settings", `{"source":"mistral"}`, "/chats"},
		{"PATCH", "/network", `{"self":"me"}`, "/network"},
	} {
		_, before := c.send("GET", q[3], "")
		embedded.FailStore(c.node, 1)
		c.want(q[0], q[1], q[2], 500, "")
		c.want("GET", q[3], "", 200, before)
		if code, body := c.send(q[0], q[1], q[2]); code >= 300 {
			t.Errorf("%s %s when the store works again: %d %s", q[0], q[1], code, body)
		}
	}
}

type counting struct {
	io.Reader
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

func TestNoMoreOfABodyIsReadThanItsLimit(t *testing.T) {
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, flate.NoCompression)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 10<<20))
	_ = z.Close()
	c := start(t, embedded.Options{MaxPayload: 1 << 20})
	body := &counting{Reader: &packed}
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/indexes/a/search", body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "deflate")
	rec := httptest.NewRecorder()
	c.node.Handler().ServeHTTP(rec, req)
	if rec.Code != 413 || body.read > 2<<20 {
		t.Errorf("%d after %d bytes", rec.Code, body.read)
	}
}

func TestWebhooksAreKeptAndMasked(t *testing.T) {
	dir := t.TempDir()
	c := start(t, embedded.Options{Dir: dir, WebhookURL: "https://example.com/", WebhookAuthorization: "Bearer a-secret-token"})
	const own = `{"uuid":"00000000-0000-0000-0000-000000000000","isEditable":false,"url":"https://example.com/","headers":{"Authorization":"Bearer a-XXXX..."}}`
	c.want("GET", "/webhooks", "", 200, `{"results":[`+own+`]}`)
	_, body := c.send("POST", "/webhooks", `{"url":"https://a.example","headers":{"authorization":"0123456789","b":"1"}}`)
	id := uuidOf(t, body)
	c.want("PATCH", "/webhooks/"+id, `{"headers":{"b":null,"c":"2"}}`, 200,
		`{"uuid":"`+id+`","isEditable":true,"url":"https://a.example","headers":{"authorization":"01XXXX...","c":"2"}}`)
	if err := c.node.Restart(); err != nil {
		t.Fatal(err)
	}
	c.want("GET", "/webhooks/"+id, "", 200, `{"uuid":"`+id+`","isEditable":true,"url":"https://a.example","headers":{"authorization":"01XXXX...","c":"2"}}`)
	c.want("DELETE", "/webhooks/"+id, "", 204, "")
	for name, q := range map[string]struct{ method, path, body, code, message string }{
		"one that is gone":          {"GET", "/webhooks/" + id, "", "webhook_not_found", "Webhook `" + id + "` not found."},
		"that of the options":       {"DELETE", "/webhooks/00000000-0000-0000-0000-000000000000", "", "immutable_webhook", "Webhook `00000000-0000-0000-0000-000000000000` is immutable. The webhook defined from the command line cannot be modified using the API."},
		"no url":                    {"POST", "/webhooks", `{}`, "invalid_webhook_url", ""},
		"a url that is none":        {"POST", "/webhooks", `{"url":"nope"}`, "invalid_webhook_url", "Invalid URL `nope`: relative URL without a base"},
		"a header that is none":     {"POST", "/webhooks", `{"url":"https://a.example","headers":{"a b":"1"}}`, "invalid_webhook_headers", "Invalid header name `a b`: invalid HTTP header name"},
		"a header value of no kind": {"POST", "/webhooks", `{"url":"https://a.example","headers":{"a":"\n"}}`, "invalid_webhook_headers", "Invalid header value `a`: failed to parse header value"},
		"a member that is fixed":    {"POST", "/webhooks", `{"uuid":"x"}`, "immutable_webhook_uuid", "Immutable field `uuid`: expected one of `url`, `headers`"},
		"no uuid":                   {"GET", "/webhooks/x", "", "invalid_webhook_uuid", ""},
	} {
		_, answer := c.send(q.method, q.path, q.body)
		var e struct{ Code, Message string }
		if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Code != q.code || q.message != "" && e.Message != q.message {
			t.Errorf("%s: %s", name, answer)
		}
	}
	for range 20 {
		c.want("POST", "/webhooks", `{"url":"https://a.example"}`, 201, "")
	}
	if code, answer := c.send("POST", "/webhooks", `{"url":"https://a.example"}`); code != 400 || !strings.Contains(answer, "invalid_webhooks") {
		t.Errorf("the 21st webhook: %d %s", code, answer)
	}
}

func TestExportSendsDocumentsAndSettings(t *testing.T) {
	to := start(t, embedded.Options{Addr: "127.0.0.1:0", MasterKey: "the key of the other one"})
	to.key = "the key of the other one"
	c := start(t, embedded.Options{})
	c.task("PATCH", "/indexes/films/settings", `{"filterableAttributes":["n"],"stopWords":["the"]}`)
	c.task("POST", "/indexes/films/documents?primaryKey=n", `[{"n":1,"id":5},{"n":2},{"n":3}]`)
	c.task("POST", "/indexes/other/documents", `[{"id":1}]`)
	done := c.task("POST", "/export", `{"url":"`+to.node.URL()+`","apiKey":"the key of the other one","payloadSize":"20B","indexes":{"fil*":{"filter":"n > 1"}}}`)
	c.done(done, "succeeded", `{"url":"`+to.node.URL()+`","apiKey":"theXXXXX...","payloadSize":"20 B","indexes":{"films":{"filter":"n > 1","overrideSettings":false,"matchedDocuments":2}}}`)
	to.idle()
	to.want("GET", "/indexes/films/documents", "", 200, `{"results":[{"n":2},{"n":3}],"offset":0,"limit":20,"total":2}`)
	to.want("GET", "/indexes/films/settings/stop-words", "", 200, `["the"]`)
	to.want("GET", "/indexes/other", "", 404, "")
	refused := c.task("POST", "/export", `{"url":"`+to.node.URL()+`","apiKey":"wrong"}`)
	c.failed(refused, "invalid_api_key", "The provided API key is invalid.")
}

func TestWhatAFeatureGates(t *testing.T) {
	c := start(t, embedded.Options{})
	for _, q := range []struct{ method, path, body, feature string }{
		{"GET", "/metrics", "", "metrics"}, {"GET", "/network", "", "network"}, {"PATCH", "/network", `{}`, "network"},
		{"GET", "/chats", "", "chatCompletions"}, {"PATCH", "/chats/a/settings", `{}`, "chatCompletions"},
		{"POST", "/dynamic-search-rules", `{}`, "dynamicSearchRules"}, {"POST", "/logs/stderr", `{}`, "logsRoute"},
		{"POST", "/tasks/compact", "", "taskQueueCompactionRoute"}, {"GET", "/tasks/0/documents", "", "getTaskDocumentsRoute"},
	} {
		code, body := c.send(q.method, q.path, q.body)
		if code != 400 || !strings.Contains(body, `"feature_not_enabled"`) {
			t.Errorf("%s %s with the feature off: %d %s", q.method, q.path, code, body)
		}
		c.want("PATCH", "/experimental-features", `{"`+q.feature+`":true}`, 200, "")
		if code, body = c.send(q.method, q.path, q.body); strings.Contains(body, "feature_not_enabled") || code >= 500 {
			t.Errorf("%s %s with the feature on: %d %s", q.method, q.path, code, body)
		}
		c.want("PATCH", "/experimental-features", `{"`+q.feature+`":false}`, 200, "")
	}
}

func TestTheDocumentsOfAWaitingTask(t *testing.T) {
	c := start(t, embedded.Options{})
	c.want("PATCH", "/experimental-features", `{"getTaskDocumentsRoute":true}`, 200, "")
	c.node.PauseTasks()
	c.want("POST", "/indexes/a/documents", `[{"id": 1},{"id":2}]`, 202, "")
	c.want("GET", "/tasks/0/documents", "", 200, "{\"id\": 1}\n{\"id\":2}\n")
	c.node.ResumeTasks()
	c.idle()
	c.want("GET", "/tasks/0/documents", "", 404, "")
}
