package embedded_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
)

func get(ctx context.Context, n *embedded.Node, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://node"+path, nil)
	if err != nil {
		return err
	}
	res, err := n.Transport().RoundTrip(req)
	if err == nil {
		err = res.Body.Close()
	}
	return err
}

func TestANodeMisbehavesAsPlanned(t *testing.T) {
	c := start(t, embedded.Options{})
	f := c.node.Faults()

	remove := f.Add(embedded.Fault{Path: "/health", Status: 503, Code: "too_many_search_requests"})
	c.want("GET", "/health", "", 503, "")
	c.want("GET", "/version", "", 200, "")
	remove()
	c.want("GET", "/health", "", 200, "")

	f.Add(embedded.Fault{Method: "GET", Path: "/indexes*", Cut: true, Times: 1})
	if err := get(t.Context(), c.node, "/indexes"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut connection gives %v", err)
	}
	c.want("GET", "/indexes", "", 200, "")

	f.Add(embedded.Fault{Method: "POST", DropAnswer: true, Times: 1})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/dumps", nil)
	if _, err := c.node.Transport().RoundTrip(req); err == nil { //nolint:bodyclose // there is no answer
		t.Error("the answer was not dropped")
	}
	c.idle()
	if got := c.readTask(0); got.Status != "succeeded" {
		t.Errorf("the work was not done: %+v", got)
	}
	if f.Hits() != 3 {
		t.Errorf("%d faults hit, want 3", f.Hits())
	}
}

func TestAHangingRequestGoesOnWhenReleased(t *testing.T) {
	c := start(t, embedded.Options{})
	remove := c.node.Faults().Add(embedded.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := get(ctx, c.node, "/health"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging request ends with %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- get(context.Background(), c.node, "/health") }()
	remove()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAStoppedNodeComesBackWithItsDataAndItsAddress(t *testing.T) {
	for name, dir := range map[string]string{"in memory": "", "on disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			c := start(t, embedded.Options{Dir: dir, Addr: "127.0.0.1:0"})
			c.task("POST", "/indexes/a/documents", `[{"id":1}]`)
			url := c.node.URL()
			c.node.Stop()
			if err := get(t.Context(), c.node, "/health"); !errors.Is(err, embedded.ErrStopped) {
				t.Errorf("a stopped node answers with %v", err)
			}
			if err := c.node.Restart(); err != nil {
				t.Fatal(err)
			}
			if c.node.URL() != url {
				t.Errorf("address is %s after %s", c.node.URL(), url)
			}
			c.want("GET", "/indexes/a/documents/1", "", 200, `{"id":1}`)
		})
	}
}

func TestTheClockIsSettable(t *testing.T) {
	c := start(t, embedded.Options{Clock: func() time.Time { return time.Unix(1700000000, 5e8) }})
	c.want("POST", "/snapshots", "", 202,
		`{"taskUid":0,"indexUid":null,"status":"enqueued","type":"snapshotCreation","enqueuedAt":"2023-11-14T22:13:20.5Z"}`)
}
