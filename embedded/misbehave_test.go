package embedded_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
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
	c := start(t, embedded.Options{DumpDir: t.TempDir()})
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

// A fault outlives the node's stops, and can be removed after them.
func TestAFaultIsRemovedAfterARestart(t *testing.T) {
	c := start(t, embedded.Options{})
	remove := c.node.Faults().Add(embedded.Fault{Status: 503})
	if err := c.node.Restart(); err != nil {
		t.Fatal(err)
	}
	c.want("GET", "/health", "", 503, "")
	remove()
	c.want("GET", "/health", "", 200, "")
}

// hangs sends a request in the background and returns when it has met its fault.
func hangs(t *testing.T, n *embedded.Node, method, path string) <-chan error {
	t.Helper()
	done, met := make(chan error, 1), n.Faults().Hits()
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), method, "http://node"+path, nil)
		if err != nil {
			done <- err
			return
		}
		res, err := n.Transport().RoundTrip(req)
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	for n.Faults().Hits() == met {
		time.Sleep(time.Millisecond)
	}
	return done
}

func ends(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("the request still hangs")
		return nil
	}
}

func TestClearReleasesWhatHangsInAFaultThatIsUsedUp(t *testing.T) {
	c := start(t, embedded.Options{})
	c.node.Faults().Add(embedded.Fault{Hang: true, Times: 1})
	done := hangs(t, c.node, "GET", "/health")
	c.node.Faults().Clear()
	if err := ends(t, done); err != nil {
		t.Error(err)
	}
}

// A node that stops loses the requests that wait, as a crash would: it does not carry them out.
func TestAStoppedNodeCarriesOutNothingThatWaited(t *testing.T) {
	for name, fault := range map[string]embedded.Fault{
		"late": {Delay: time.Minute}, "hanging": {Hang: true}, "hanging in a fault that is used up": {Hang: true, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, embedded.Options{DumpDir: t.TempDir()})
			remove := c.node.Faults().Add(fault)
			done := hangs(t, c.node, "POST", "/dumps")
			if err := c.node.Restart(); err != nil {
				t.Fatal(err)
			}
			if err := ends(t, done); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the request ends with %v", err)
			}
			remove()
			c.want("GET", "/tasks", "", 200, `{"results":[],"total":0,"limit":20,"from":null,"next":null}`)
		})
	}
}

// Whatever the order of stops and restarts, a node in memory keeps its data.
func TestStopAndRestartInParallelKeepTheData(t *testing.T) {
	c := start(t, embedded.Options{})
	c.task("POST", "/indexes/a/documents", `[{"id":1}]`)
	for range 200 {
		var both sync.WaitGroup
		both.Go(c.node.Stop)
		both.Go(func() {
			if err := c.node.Restart(); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
	if err := c.node.Restart(); err != nil {
		t.Fatal(err)
	}
	c.want("GET", "/indexes/a/documents/1", "", 200, `{"id":1}`)
}

func TestTheClockIsSettable(t *testing.T) {
	c := start(t, embedded.Options{Clock: func() time.Time { return time.Unix(1700000000, 5e8) }})
	c.want("POST", "/snapshots", "", 202,
		`{"taskUid":0,"indexUid":null,"status":"enqueued","type":"snapshotCreation","enqueuedAt":"2023-11-14T22:13:20.5Z"}`)
}

// Each fault of the answer, over a socket and without one.
func TestAnswersAreSpoiledAsPlanned(t *testing.T) {
	c := start(t, embedded.Options{Addr: "127.0.0.1:0"})
	socket := &http.Transport{DisableCompression: true} // lengths are of the text
	defer socket.CloseIdleConnections()
	const whole = `{"status":"available"}`
	fetch := func(rt http.RoundTripper) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.node.URL()+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := rt.RoundTrip(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}
	for name, tc := range map[string]struct {
		fault embedded.Fault
		body  string // "" for a connection that is lost before the answer
		cut   bool
	}{
		"cut before the work":        {embedded.Fault{Cut: true}, "", true},
		"dropped":                    {embedded.Fault{DropAnswer: true}, "", true},
		"cut half-way":               {embedded.Fault{CutAnswer: true}, whole[:len(whole)/2], true},
		"too short for its length":   {embedded.Fault{LengthOff: 7}, whole, true},
		"too long for its length":    {embedded.Fault{LengthOff: -7}, whole[:len(whole)-7], false},
		"garbage":                    {embedded.Fault{Garbage: true}, "{\"hits\":[{]\x00\xff<html>planned fault", false},
		"slow":                       {embedded.Fault{Trickle: time.Millisecond}, whole, false},
		"slow and cut half-way":      {embedded.Fault{Trickle: time.Millisecond, CutAnswer: true}, whole[:len(whole)/2], true},
		"late":                       {embedded.Fault{Delay: time.Millisecond}, whole, false},
		"an error that comes slowly": {embedded.Fault{Status: 503, Code: "too_many_open_files", Trickle: time.Millisecond}, `{"message":"planned fault","code":"too_many_open_files","type":"system","link":"https://docs.meilisearch.com/errors#too_many_open_files"}`, false},
	} {
		for how, rt := range map[string]http.RoundTripper{"socket": socket, "transport": c.node.Transport()} {
			t.Run(name+" by "+how, func(t *testing.T) {
				defer c.node.Faults().Add(tc.fault)()
				status, body, err := fetch(rt)
				if (err != nil) != tc.cut || body != tc.body {
					t.Fatalf("%d %q %v", status, body, err)
				}
				if tc.cut && body != "" && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the body ends with %v", err)
				}
			})
		}
		c.want("GET", "/health", "", 200, whole)
	}
}

func TestFaultsStrikeByCountAndByChance(t *testing.T) {
	c := start(t, embedded.Options{})
	pattern := func(f embedded.Fault) string {
		defer c.node.Faults().Add(f)()
		out := make([]byte, 12)
		for i := range out {
			out[i] = '.'
			if code, _ := c.send("GET", "/health", ""); code == 503 {
				out[i] = 'x'
			}
		}
		return string(out)
	}
	if got := pattern(embedded.Fault{Status: 503, Every: 3}); got != "..x..x..x..x" {
		t.Errorf("every third: %s", got)
	}
	if got := pattern(embedded.Fault{Status: 503, Every: 3, Times: 2}); got != "..x..x......" {
		t.Errorf("every third, twice: %s", got)
	}
	first := pattern(embedded.Fault{Status: 503, Chance: 0.5, Seed: 7})
	if again := pattern(embedded.Fault{Status: 503, Chance: 0.5, Seed: 7}); again != first || first == "............" || first == "xxxxxxxxxxxx" {
		t.Errorf("by chance: %s, then %s", first, again)
	}
	if other := pattern(embedded.Fault{Status: 503, Chance: 0.5, Seed: 8}); other == first {
		t.Errorf("another seed gives %s too", other)
	}
}

func TestTasksAreDelayedAndFailAsPlanned(t *testing.T) {
	c := start(t, embedded.Options{})
	remove := c.node.Faults().AddTask(embedded.TaskFault{Index: "a", Delay: 60 * time.Millisecond})
	started := time.Now()
	c.done(c.task("POST", "/indexes/b/documents", `[{"id":1}]`), "succeeded", "")
	c.send("POST", "/indexes/a/documents", `[{"id":1}]`)
	for c.readTask(1).Status == "enqueued" {
		time.Sleep(time.Millisecond)
	}
	c.want("GET", "/indexes/a/documents/1", "", 404, "") // the work is not done yet
	c.idle()
	if took := time.Since(started); took < 60*time.Millisecond {
		t.Errorf("a slow disk took %s", took)
	}
	c.want("GET", "/indexes/a/documents/1", "", 200, `{"id":1}`)
	remove()

	c.node.Faults().AddTask(embedded.TaskFault{Type: "documentAdditionOrUpdate", Code: "no_space_left_on_device", Times: 1})
	c.node.PauseTasks()
	for i := range 3 {
		c.send("POST", "/indexes/a/documents", `[{"id":`+itoa(10+i)+`}]`)
	}
	c.node.ResumeTasks()
	c.idle()
	c.failed(c.readTask(2), "no_space_left_on_device", "planned fault")
	c.done(c.readTask(3), "succeeded", "")
	c.want("GET", "/indexes/a/documents?fields=id", "", 200, `{"results":[{"id":1},{"id":11},{"id":12}],"offset":0,"limit":20,"total":3}`)
}
