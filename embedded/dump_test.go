package embedded_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// fill puts something of everything into a node.
func (c *client) fill() {
	c.task("PATCH", "/indexes/films/settings", `{"sortableAttributes":["n"],"embedders":{"m":{"source":"userProvided","dimensions":2}}}`)
	c.task("POST", "/indexes/films/documents", `[{"id":3,"n":1,"_vectors":{"m":[1,0]}},{"id":1,"n":2,"_vectors":{"m":[0,1]}},{"id":2}]`)
	c.task("POST", "/indexes", `{"uid":"empty","primaryKey":"key"}`)
	c.want("PATCH", "/experimental-features", `{"chatCompletions":true,"network":true}`, 200, "")
	c.want("PATCH", "/chats/a/settings", `{"apiKey":"a secret of the chat"}`, 200, "")
	c.want("POST", "/keys", `{"uid":"6062abda-a5aa-4414-ac91-ecd7944c0f8d","name":"n","actions":["search"],"indexes":["films"],"expiresAt":null}`, 201, "")
	c.want("POST", "/webhooks", `{"url":"http://127.0.0.1:1/"}`, 201, "")
}

// views are what must be the same afterwards.
var views = []string{"/indexes", "/indexes/films/settings", "/indexes/films/documents?retrieveVectors=true", "/indexes/films/stats",
	"/experimental-features", "/chats/a/settings", "/keys", "/webhooks", "/indexes/empty"}

func (c *client) seen() []string {
	out := make([]string, len(views))
	for i, path := range views {
		_, out[i] = c.send("GET", path, "")
	}
	return out
}

func TestADumpFillsAnotherNode(t *testing.T) {
	const key = "the master key of both"
	dumps := t.TempDir()
	c := start(t, embedded.Options{DumpDir: dumps, MasterKey: key})
	c.key = key
	c.fill()
	want := c.seen()
	done := c.task("POST", "/dumps", "")
	var d struct{ DumpUID string }
	if err := json.Unmarshal(done.Details, &d); err != nil || done.Status != "succeeded" || d.DumpUID == "" {
		t.Fatalf("%+v: %v", done, err)
	}
	file := filepath.Join(dumps, d.DumpUID+".dump")
	for _, dir := range []string{"", t.TempDir()} {
		other := start(t, embedded.Options{Dir: dir, MasterKey: key, ImportDump: file})
		other.key = key
		for restart := range 2 {
			for i, got := range other.seen() {
				if got != want[i] {
					t.Errorf("%s after %d restarts\ngot  %s\nwant %s", views[i], restart, got, want[i])
				}
			}
			if err := other.node.Restart(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// As in the real server: what waits behind a dump is in it, and is done where it is imported.
func TestADumpHoldsTheTasks(t *testing.T) {
	dumps := t.TempDir()
	c := start(t, embedded.Options{DumpDir: dumps})
	c.task("POST", "/indexes/films/documents", `[{"id":1}]`)
	c.node.PauseTasks()
	c.want("POST", "/indexes/films/documents", `[{"id":2}]`, 202, "")
	c.want("POST", "/dumps", "", 202, "")
	c.want("POST", "/indexes/films/documents", `[{"id":3}]`, 202, "")
	c.node.ResumeTasks()
	c.idle()
	list, err := filepath.Glob(filepath.Join(dumps, "*.dump"))
	if err != nil || len(list) != 1 {
		t.Fatalf("dumps %v: %v", list, err)
	}
	for _, dir := range []string{"", t.TempDir()} {
		other := start(t, embedded.Options{Dir: dir, ImportDump: list[0]})
		for restart := range 2 {
			other.idle()
			other.want("GET", "/indexes/films/documents", "", 200, `{"results":[{"id":1},{"id":2},{"id":3}],"offset":0,"limit":20,"total":3}`)
			_, task := other.send("GET", "/tasks/2", "")
			_, dumped := c.send("GET", "/tasks/2", "")
			if uid := strings.TrimSuffix(filepath.Base(list[0]), ".dump"); !strings.Contains(task, `"dumpUid":"`+uid+`"`) ||
				!strings.Contains(task, `"status":"succeeded"`) || !strings.Contains(dumped, uid) {
				t.Errorf("%s after %d restarts, %s before", task, restart, dumped)
			}
			if err := other.node.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		if next := other.task("DELETE", "/indexes/films/documents", ""); next.UID != 4 {
			t.Errorf("the next task is %d", next.UID)
		}
	}
}

func TestASnapshotIsANodeAgain(t *testing.T) {
	dir := t.TempDir()
	c := start(t, embedded.Options{Dir: dir})
	c.task("POST", "/indexes/films/documents", `[{"id":3},{"id":1}]`)
	c.done(c.task("POST", "/snapshots", ""), "succeeded", "")
	other := start(t, embedded.Options{Dir: t.TempDir(), ImportSnapshot: filepath.Join(dir, "snapshots", "data.ms.snapshot")})
	other.want("GET", "/indexes/films/documents", "", 200, `{"results":[{"id":3},{"id":1}],"offset":0,"limit":20,"total":2}`)
	other.want("GET", "/tasks/1", "", 404, "") // the snapshot does not hold itself
}

func TestANodeWithoutADirectoryWritesNoFiles(t *testing.T) {
	c := start(t, embedded.Options{})
	c.failed(c.task("POST", "/dumps", ""), "miroir_not_supported", "this embedded node has no directory for dumps")
	c.failed(c.task("POST", "/snapshots", ""), "miroir_not_supported",
		"this embedded node keeps nothing on disk, so there is nothing to take a snapshot of")
}

// A dump is a file that anybody may have written.
func TestADumpedWebhookMayLackItsHeaders(t *testing.T) {
	heard := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header.Get("Content-Type") }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "a.dump")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	a := tar.NewWriter(z)
	const id = "11111111-1111-4111-8111-111111111111"
	for name, text := range map[string]string{"metadata.json": `{"dumpVersion":"V6"}`,
		"webhooks.json": `{"webhooks":{"` + id + `":{"url":"` + server.URL + `","headers":null},"22222222-2222-4222-8222-222222222222":null}}`} {
		if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.Close(), z.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	c := start(t, embedded.Options{ImportDump: file})
	c.task("POST", "/indexes", `{"uid":"a"}`)
	if got := <-heard; got != "application/x-ndjson" {
		t.Errorf("heard %q", got)
	}
	c.want("PATCH", "/webhooks/"+id, `{"headers":{"a":"1"}}`, 200, `{"uuid":"`+id+`","isEditable":true,"url":"`+server.URL+`","headers":{"a":"1"}}`)
	_, all := c.send("GET", "/webhooks", "")
	if strings.Contains(all, "22222222") {
		t.Errorf("a webhook that is null is kept: %s", all)
	}
}
