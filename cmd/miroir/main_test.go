package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares text with a file and checks that it fits a terminal.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > tableWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func TestStatusFitsATerminal(t *testing.T) {
	top := &messages.Topology{Version: 3, Shards: 64, ReplicationFactor: 2, Degraded: true, Groups: []messages.TopologyGroup{
		{ID: 0, Nodes: []messages.TopologyNode{
			{ID: "a0", State: "ready", Since: ago(3*time.Hour + 12*time.Minute + 5*time.Second), Version: "1.50.0", Shards: 64},
			{ID: "a-node-with-a-very-long-name.example.org-7700", State: "broken", Since: ago(42 * time.Second), Version: "1.50.0", Shards: 64, Behind: 1234,
				Reason: "GET /health: dial tcp 10.0.0.12:7700: connect: connection refused\nand a second line that makes the reason too long"},
		}},
		{ID: 1, Nodes: []messages.TopologyNode{
			{ID: "b0", State: "catching up", Since: ago(100 * time.Hour), Version: "1.21.0", Shards: 64, Behind: 3},
			{ID: "b1", State: "probing"},
		}},
	}, Rebuilds: []messages.TopologyRebuild{
		{Node: "b0", IndexUID: "films", Shards: []int{1, 2, 3}, Reason: "it came back without its data", State: "comparing", Copied: 5123, Total: 12000},
		{Node: "a-node-with-a-very-long-name.example.org-7700", IndexUID: "an-index-with-a-long-name", Shards: []int{63}, State: "waiting",
			Reason: "a write failed on it alone", Problem: "no healthy copy of shards 63 is reachable, and more that is too long for one line of a terminal"},
	}}
	golden(t, "status.txt", statusText(top, now))

	top.Degraded, top.Groups[1].Nodes[1].Leaving = false, true
	if text := statusText(top, now); !strings.HasPrefix(text, "rebuilding: ") {
		t.Error(text)
	}
	top.Move = &messages.TopologyMove{From: []uint64{2}, To: 3, Leaving: []string{"b1"}, Documents: 12345,
		Indexes: messages.Progress{Done: 3, Total: 12}, Shards: messages.Progress{Done: 100, Total: 320}}
	golden(t, "moving.txt", statusText(top, now))
	top.Move = &messages.TopologyMove{Indexes: messages.Progress{Done: 1, Total: 1}}
	if text := statusText(top, now); !strings.Contains(text, "removing what is left over [##############] 100 %") {
		t.Error(text)
	}
}

func TestTasksFitATerminal(t *testing.T) {
	films := "films"
	started, finished := ago(59*time.Second), ago(57500*time.Millisecond)
	failed := shownTask{UID: 12345, IndexUID: &films, Status: "failed", Type: "documentAdditionOrUpdate", EnqueuedAt: ago(time.Minute),
		StartedAt: &started, FinishedAt: &finished, Details: []byte(`{"receivedDocuments":1000,"indexedDocuments":0,"and":"much much much much much more"}`),
		Error: &struct{ Code, Message string }{"invalid_document_id", "Document identifier `\"a b\"` is invalid. A document identifier can be of type integer or string."},
		Parts: []messages.TaskPart{
			{Step: 77, Kind: "documents.add", Node: "a0", State: "failed", NodeTasks: []int64{12, 13}, Error: map[string]any{"message": "no space left on device"}},
			{Step: 77, Kind: "documents.add", Node: "a1", State: "pending"},
		}}
	golden(t, "task.txt", taskText(&failed))
	list := &shownTasks{Total: 90, Results: []shownTask{failed, {UID: 12344, Status: "enqueued", Type: "indexSwap", EnqueuedAt: ago(time.Minute)}}}
	golden(t, "tasks.txt", tasksText(list, now))
}

func TestAges(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 2 * time.Minute: "2m", 20 * time.Minute: "20m",
		3*time.Hour + 5*time.Minute: "3h5m", 10 * time.Hour: "10h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 100 * time.Hour: "4d4h",
	} {
		if got := age(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

// output is a stream that a command writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// miroirCommand runs a command line to its end.
func miroirCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongCommandLinesExitWith2(t *testing.T) {
	config := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(config, []byte("shards: 4\nnode_key: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown flag", []string{"serve", "--lol"}, "unknown flag: --lol"},
		{"a bad number", []string{"dev", "--groups", "x"}, "--groups"},
		{"no master key in production", []string{"serve", "--node", "http://a:1"}, "master_key: a production environment needs a master key"},
		{"no nodes", []string{"serve", "--env", "development"}, "nodes: no nodes"},
		{"a key in the file", []string{"serve", "--config", config}, "m.yaml:2: node_key: keys never come from the configuration file"},
		{"more copies than nodes", []string{"dev", "--replicas", "3"}, "--replicas 3 needs at least as many --nodes-per-group, got 2"},
		{"nodes for dev", []string{"dev", "--node", "http://a:1"}, "dev makes its own nodes"},
		{"no groups", []string{"dev", "--groups", "0"}, "at least 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := miroirCommand(t, tc.args...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, tc.want) || !strings.HasPrefix(stderr, "miroir: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	if code, stdout, _ := miroirCommand(t, "version"); code != 0 || !strings.Contains(stdout, "speaks the Meilisearch v1.50 API") {
		t.Errorf("exit %d: %s", code, stdout)
	}
	code, stdout, _ := miroirCommand(t)
	for _, command := range []string{"serve", "dev", "node", "status", "tasks", "store", "version"} {
		if !strings.Contains(stdout, "\n  "+command+" ") {
			t.Errorf("help (exit %d) does not name %s:\n%s", code, command, stdout)
		}
	}
}

func TestRemoteCommandsShowTheirKeyAndRelayErrors(t *testing.T) {
	var extra atomic.Value // of the topology
	extra.Store("")
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer from-env":
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"message":"The provided API key is invalid.","code":"invalid_api_key"}`) //nolint:errcheck // the test reads it
		case r.URL.Path == "/_miroir/topology":
			fmt.Fprintf(w, `{"version":1,%s"groups":[]}`, extra.Load()) //nolint:errcheck // the test reads it
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer proxy.Close()
	t.Setenv("MIROIR_URL", proxy.URL+"/")
	t.Setenv("MIROIR_MASTER_KEY", "from-env")
	if code, stdout, stderr := miroirCommand(t, "status", "--json"); code != 0 || stdout != "{\"version\":1,\"groups\":[]}\n" {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	for more, want := range map[string]string{`"rebuilds":[],`: "0 healthy", `"move":{},`: "0 moving", `"rebuilds":[{}],`: "0 rebuilding", `"move":{},"degraded":true,`: "1 degraded"} {
		extra.Store(more)
		code, stdout, stderr := miroirCommand(t, "status")
		if word, _, _ := strings.Cut(stdout, ":"); fmt.Sprint(code, " ", word) != want || stderr != "" {
			t.Errorf("with %s: exit %d: %s%s, want %s", more, code, stdout, stderr, want)
		}
		if jsonCode, _, _ := miroirCommand(t, "status", "--json"); jsonCode != code {
			t.Errorf("with %s: exit %d of --json", more, jsonCode)
		}
	}
	if code, _, stderr := miroirCommand(t, "status", "--admin-key", "wrong"); code != 1 || !strings.Contains(stderr, "403 invalid_api_key: The provided API key is invalid.") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := miroirCommand(t, "tasks", "1"); code != 1 || !strings.Contains(stderr, "is a Miroir proxy there?") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	proxy.Close()
	if code, _, stderr := miroirCommand(t, "status"); code != 1 || !strings.Contains(stderr, "is it running?") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestTheStoreIsCopiedByWhoHasIt(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		asked = fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(body), err)
		io.WriteString(w, `{}`) //nolint:errcheck // the test reads it
	}))
	defer proxy.Close()
	dir := filepath.Join(t.TempDir(), "copy")
	if code, stdout, stderr := miroirCommand(t, "store", "backup", dir, "--url", proxy.URL); code != 0 || stdout != "The store is in "+dir+"\n" ||
		asked != fmt.Sprintf(`POST /admin/backup {"dir":%q}<nil>`, dir) {
		t.Errorf("exit %d: %s%s, asked %s", code, stdout, stderr, asked)
	}
	http.DefaultClient.CloseIdleConnections()
	data := t.TempDir()
	if code, _, stderr := miroirCommand(t, "store", "backup", dir, "--data-dir", data); code != 1 || !strings.Contains(stderr, "no store is in "+data) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := miroirCommand(t, "store", "backup", dir, "--data-dir", data); code != 1 || !strings.Contains(stderr, "leave --data-dir out") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	id := s.ClusterID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := miroirCommand(t, "store", "backup", dir, "--data-dir", data); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if s, err = store.Open(t.Context(), store.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if s.ClusterID() != id || s.Fresh() {
		t.Error("the copy is another store")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstSignalEndsTheContext(t *testing.T) {
	ctx, stop := withSignals(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}

var apiURL = regexp.MustCompile(`API +(http://\S+)`)

// TestDevRunsUntilItIsStopped follows what the welcome tells a newcomer to do.
func TestDevRunsUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"dev", "--ephemeral", "--http-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"}, &out, &errs)
	}()
	url := ""
	eventually(t, func() bool {
		if m := apiURL.FindStringSubmatch(out.String()); m != nil {
			url = m[1]
		}
		return url != "" || len(exit) > 0
	})
	if url == "" {
		t.Fatalf("dev ended with %d: %s", <-exit, errs.String())
	}
	call := func(method, path, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was read to its end
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	if got := call("POST", "/indexes/films/documents", `[{"id":1,"title":"Metropolis"},{"id":2,"title":"The Mirror"}]`); !strings.HasPrefix(got, `{"taskUid":0,`) {
		t.Fatalf("documents are answered %s", got)
	}
	eventually(t, func() bool { return strings.Contains(call("GET", "/tasks/0", ""), `"status":"succeeded"`) })
	for _, stopNode := range []bool{false, true} {
		if stopNode {
			if got := call("POST", "/_miroir/dev/nodes/a0/stop", ""); got != `{"node":"a0","status":"stopped"}` {
				t.Errorf("stopping a node is answered %s", got)
			}
		}
		if got := call("GET", "/indexes/films/search?q=mirror", ""); !strings.HasPrefix(got, `{"hits":[{"id":2,"title":"The Mirror"}]`) {
			t.Errorf("node stopped %v: found %s", stopNode, got)
		}
	}
	cancel()
	if code := <-exit; code != 0 {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	http.DefaultClient.CloseIdleConnections()
}

// eventually polls cond until it holds; it fails the test after twenty seconds.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}
