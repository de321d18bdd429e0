package tests

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// A webhook hears of each task of Miroir once, in the words of GET /tasks, and of
// none of the nodes' own.
func TestAWebhookHearsOfMiroirsOwnTasks(t *testing.T) {
	heard := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil || r.Header.Get("X-Own") != "yes" {
			t.Errorf("%v, %v", err, r.Header)
		}
		for line := range strings.Lines(string(body)) {
			heard <- strings.TrimSpace(line)
		}
	}))
	defer hook.Close()
	f := fleet.Start(t, fleet.Options{Groups: 1})
	if got := f.Do(t, "POST", "/webhooks", `{"url":"`+hook.URL+`","headers":{"X-Own":"yes"}}`); got.Status != 201 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	f.Do(t, "POST", docsPath, made(0, 20))
	f.Do(t, "DELETE", "/indexes/none", "")
	f.Do(t, "POST", "/tasks/cancel?uids=0", "")
	lines := map[int]string{}
	for len(lines) < 3 {
		select {
		case line := <-heard:
			var task struct{ UID int }
			if err := json.Unmarshal([]byte(line), &task); err != nil || lines[task.UID] != "" {
				t.Fatalf("%v, once more %s", err, line)
			}
			lines[task.UID] = line
		case <-time.After(30 * time.Second):
			t.Fatalf("heard only %v", lines)
		}
	}
	for uid, path := range []string{"/tasks/0", "/tasks/1", "/tasks/2"} {
		if got := f.Do(t, "GET", path, ""); string(got.Body) != lines[uid] {
			t.Errorf("heard %s, but %s is %s", lines[uid], path, got.Body)
		}
	}
}
