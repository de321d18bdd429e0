package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDoor remembers what it was asked and answers what it was told.
type fakeDoor struct {
	mu     sync.Mutex
	reads  []any
	writes []any
	// payloads are those that went through NewPayload, aborted counts the others.
	payloads []string
	aborted  int

	answer   func(ctx context.Context, msg any) *messages.Answer
	accepted func(msg any) *messages.TaskAccepted
	tasks    map[int64]*store.Task
	queries  []*store.TaskQuery
	page     *store.TaskPage
	indexes  []*messages.Index
	ready    error
	features map[string]bool
	chats    map[string]*api.ChatWorkspace
	failTask error

	backedUp  []string
	backupErr error
}

func newFakeDoor() *fakeDoor {
	when := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	return &fakeDoor{
		answer: func(context.Context, any) *messages.Answer {
			return &messages.Answer{Status: 200, Body: []byte(`{"hits":[]}`), Nodes: 1}
		},
		accepted: func(any) *messages.TaskAccepted {
			uid := "films"
			return &messages.TaskAccepted{Task: &api.TaskSummary{TaskUID: 7, IndexUID: &uid, Status: "enqueued",
				Type: "documentAdditionOrUpdate", EnqueuedAt: when}}
		},
		tasks: map[int64]*store.Task{3: {UID: 3, IndexUID: "films", Type: "documentAdditionOrUpdate", Status: "succeeded",
			Details: json.RawMessage(`{"receivedDocuments":1,"indexedDocuments":1}`), EnqueuedAt: when, StartedAt: when, FinishedAt: when.Add(1500 * time.Millisecond)},
			4: {UID: 4, Type: "indexSwap", Status: "enqueued", EnqueuedAt: when}},
		page:    &store.TaskPage{},
		indexes: []*messages.Index{{UID: "films", PrimaryKey: "id", CreatedAt: when, UpdatedAt: when}, {UID: "people", CreatedAt: when, UpdatedAt: when}},
	}
}

func (d *fakeDoor) Read(ctx context.Context, msg any) *messages.Answer {
	d.mu.Lock()
	d.reads = append(d.reads, msg)
	d.mu.Unlock()
	return d.answer(ctx, msg)
}

func (d *fakeDoor) Write(_ context.Context, msg any) *messages.TaskAccepted {
	d.mu.Lock()
	d.writes = append(d.writes, msg)
	d.mu.Unlock()
	return d.accepted(msg)
}

func (d *fakeDoor) Index(uid string) (*messages.Index, bool) {
	for _, i := range d.indexes {
		if i.UID == uid {
			return i, true
		}
	}
	return nil, false
}

// NewPayload keeps payloads in memory.
func (d *fakeDoor) NewPayload() store.Stream { return &fakeStream{door: d} }

// fakeStream is a payload that the door was given.
type fakeStream struct {
	door *fakeDoor
	got  []byte
	done bool
}

func (s *fakeStream) Write(p []byte) (int, error) {
	s.got = append(s.got, p...)
	return len(p), nil
}

func (s *fakeStream) Finish() (store.Ref, error) {
	s.done = true
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	s.door.payloads = append(s.door.payloads, string(s.got))
	return store.Ref{Segment: uint32(len(s.door.payloads)), Length: int64(len(s.got))}, nil //nolint:gosec // a few
}

func (s *fakeStream) Abort() {
	if !s.done {
		s.door.mu.Lock()
		defer s.door.mu.Unlock()
		s.door.aborted++
	}
}

func (d *fakeDoor) Indexes() []*messages.Index { return d.indexes }

func (d *fakeDoor) Task(_ context.Context, uid int64) (*store.Task, error) {
	if d.failTask != nil {
		return nil, d.failTask
	}
	if t, ok := d.tasks[uid]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("read task: %w", store.ErrNotFound)
}

func (d *fakeDoor) Tasks(_ context.Context, q *store.TaskQuery) (*store.TaskPage, error) {
	d.queries = append(d.queries, q)
	return d.page, nil
}

func (d *fakeDoor) TaskParts(context.Context, int64) ([]messages.TaskPart, error) {
	return []messages.TaskPart{{Step: 9, Kind: "documents", Node: "a0", State: "applied", NodeTasks: []int64{12}}}, nil
}

func (d *fakeDoor) Topology() *messages.Topology {
	return &messages.Topology{Version: 1, Shards: 64, ReplicationFactor: 1, Groups: []messages.TopologyGroup{{Nodes: []messages.TopologyNode{
		{ID: "a0", Address: "http://a:7700", State: "ready"}, {ID: "a1", Address: "http://b:7700", State: "broken", Reason: "refused", Behind: 2}}}}}
}

func (d *fakeDoor) Shards() *messages.Shards { return &messages.Shards{} }
func (d *fakeDoor) Ready() error             { return d.ready }
func (d *fakeDoor) BackUpStore(_ context.Context, dir string) error {
	d.backedUp = append(d.backedUp, dir)
	return d.backupErr
}
func (d *fakeDoor) NodesVersion() (string, string, string) { return "1.50.0", "abc", "2026-01-01" }

func (d *fakeDoor) Features(context.Context) (map[string]bool, error) {
	on := map[string]bool{}
	maps.Copy(on, d.features)
	return on, nil
}

func (d *fakeDoor) SetFeatures(_ context.Context, on map[string]bool) error {
	d.features = on
	return nil
}

func (d *fakeDoor) Chats(context.Context) (map[string]*api.ChatWorkspace, error) {
	all := map[string]*api.ChatWorkspace{}
	maps.Copy(all, d.chats)
	return all, nil
}

func (d *fakeDoor) SetChats(_ context.Context, all map[string]*api.ChatWorkspace) error {
	d.chats = all
	return nil
}

// called is how many messages reached the door.
func (d *fakeDoor) called() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.reads) + len(d.writes)
}

// start runs a server in front of door; change may set options.
func start(t *testing.T, door *fakeDoor, change func(*Options)) *Server {
	t.Helper()
	o := Options{Door: door, Addr: "127.0.0.1:0"}
	if change != nil {
		change(&o)
	}
	s := New(o)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) code(t *testing.T) string {
	t.Helper()
	var e api.Error
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || e.Link != "https://docs.meilisearch.com/errors#"+e.Code || e.Type == "" || e.Message == "" {
		t.Errorf("not an error body: %s", r.body)
	}
	return e.Code
}

// send sends one request; headers are name, value, name, value.
func send(t *testing.T, s *Server, method, path, body string, headers ...string) reply {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, in)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(out)}
}

// the content types that most requests need.
var (
	asJSON   = []string{"Content-Type", "application/json"}
	asNDJSON = []string{"Content-Type", "application/x-ndjson"}
	asCSV    = []string{"Content-Type", "text/csv"}
)
