package store

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestReopenFindsEverything(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "data ?#%")
	s := openT(t, Options{Dir: dir})
	if !s.Fresh() || len(s.ClusterID()) != 32 {
		t.Fatalf("fresh %v, cluster id %q", s.Fresh(), s.ClusterID())
	}
	ref := appendT(t, s, "payload one")
	seqs := appendT(t, s, "seqs")
	b := write(3, ref)
	five, meta := int64(5), "client's \x00 own"
	b.Entries[0].Seqs = seqs
	b.Tasks[0].CanceledBy, b.Tasks[0].CustomMetadata = &five, &meta
	b.Tasks[0].Error = json.RawMessage(`{"code":"x"}`)
	b.Deliveries[1].NodeTasks, b.Deliveries[1].State = []int64{7, 8}, DeliveryAcked
	b.Deliveries[1].Details, b.Deliveries[1].Error = json.RawMessage(`{"a":1}`), json.RawMessage(`{"b":2}`)
	b.Indexes = []*Index{{ID: "ix1", UID: "movies", PrimaryKey: "id", Shards: 64, CreatedAt: t0, UpdatedAt: t0,
		Settings: json.RawMessage(`{}`), Visible: true}, {ID: "ix0", Deleted: true}}
	b.Values = map[string]json.RawMessage{"placement": json.RawMessage(`{"v":1}`), "key/1": json.RawMessage(`1`), "key/2": json.RawMessage(`2`)}
	finished := newTask(1)
	finished.Status, finished.FinishedAt = "succeeded", t0.Add(time.Second)
	b.Tasks = append(b.Tasks, finished)
	commitT(t, s, b)
	if b.Tasks[0].UID != 0 || b.Tasks[1].UID != 1 || b.Entries[0].LSN != 1 || b.Entries[0].TaskUID != 0 {
		t.Fatalf("numbers: tasks %d %d, lsn %d of task %d", b.Tasks[0].UID, b.Tasks[1].UID, b.Entries[0].LSN, b.Entries[0].TaskUID)
	}
	id := s.ClusterID()
	closeT(t, s)

	s = openT(t, Options{Dir: dir})
	if s.Fresh() || s.ClusterID() != id {
		t.Fatalf("fresh %v, cluster id %q, want %q", s.Fresh(), s.ClusterID(), id)
	}
	state, err := s.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Entries[0].Task = nil
	for _, d := range b.Deliveries {
		d.LSN, d.Entry = 1, nil
	}
	want := &State{Indexes: []*Index{b.Indexes[1], b.Indexes[0]}, Entries: b.Entries, Deliveries: b.Deliveries,
		Tasks: b.Tasks[:1], LastLSN: 1, LastTask: 1}
	if !reflect.DeepEqual(state, want) {
		t.Fatalf("loaded\n%s\nwant\n%s", dump(state), dump(want))
	}
	if got := readT(t, s, state.Entries[0].Payload) + readT(t, s, state.Entries[0].Seqs); got != "payload oneseqs" {
		t.Fatalf("payloads %q", got)
	}
	got, err := s.Task(ctx, 1)
	if err != nil || !reflect.DeepEqual(got, finished) {
		t.Fatalf("task %s (%v), want %s", dump(got), err, dump(finished))
	}
	entries, deliveries, err := s.Parts(ctx, 0)
	if err != nil || !reflect.DeepEqual(entries, want.Entries) || !reflect.DeepEqual(deliveries, want.Deliveries) {
		t.Fatalf("parts %s %s (%v)", dump(entries), dump(deliveries), err)
	}
	keys, err := s.Values(ctx, "key/")
	if err != nil || len(keys) != 2 || string(keys["key/2"]) != "2" {
		t.Fatalf("values %v (%v)", keys, err)
	}
	next := write(1, Ref{})
	commitT(t, s, next)
	if next.Tasks[0].UID != 2 || next.Entries[0].LSN != 2 {
		t.Fatalf("numbers after reopening: %d, %d", next.Tasks[0].UID, next.Entries[0].LSN)
	}
}

func dump(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestWhatIsMissingIsNotFound(t *testing.T) {
	s := memory(t, Options{})
	_, err := s.Task(context.Background(), 0)
	_, verr := s.Value(context.Background(), "x")
	if !errors.Is(err, ErrNotFound) || !errors.Is(verr, ErrNotFound) {
		t.Fatalf("task: %v, value: %v", err, verr)
	}
}

func TestRowsAreReplaced(t *testing.T) {
	ctx := context.Background()
	s := memory(t, Options{})
	b := write(1, Ref{})
	b.Values = map[string]json.RawMessage{"a": json.RawMessage("1"), "b": json.RawMessage("2"), "c": json.RawMessage("3")}
	b.Indexes = []*Index{{ID: "x", UID: "one"}, {ID: "y", UID: "two"}}
	commitT(t, s, b)
	task := *b.Tasks[0]
	task.Status, task.StartedAt = "processing", t0.Add(1)
	commitT(t, s, &Batch{Tasks: []*Task{&task}})
	task.Status, task.FinishedAt, task.IndexUID, task.EnqueuedAt = "succeeded", t0.Add(2), "renamed", t0.Add(3)
	e := *b.Entries[0]
	e.Task, e.Done, e.Params = nil, true, nil
	d := &Delivery{LSN: e.LSN, NodeID: "a0", State: DeliveryApplied, UpdatedAt: t0}
	commitT(t, s, &Batch{Tasks: []*Task{&task}, Entries: []*Entry{&e}, Deliveries: []*Delivery{d},
		Values:  map[string]json.RawMessage{"a": nil, "b": json.RawMessage("null"), "c": json.RawMessage("4")},
		Indexes: []*Index{{ID: "x", UID: "two"}}, ForgetIndexes: []string{"y"}})
	got, err := s.Task(ctx, 0)
	if err != nil || !reflect.DeepEqual(got, &task) {
		t.Fatalf("task %s (%v), want %s", dump(got), err, dump(task))
	}
	entries, deliveries, err := s.Parts(ctx, 0)
	if err != nil || len(entries) != 1 || !reflect.DeepEqual(entries[0], &e) || !reflect.DeepEqual(deliveries[0], d) {
		t.Fatalf("parts %s %s (%v)", dump(entries), dump(deliveries), err)
	}
	if v, err := s.Values(ctx, ""); err != nil || len(v) != 1 || string(v["c"]) != "4" {
		t.Fatalf("values %v (%v)", v, err)
	}
	state, err := s.Load(ctx)
	if err != nil || len(state.Entries)+len(state.Deliveries)+len(state.Tasks) != 0 ||
		len(state.Indexes) != 1 || state.Indexes[0].UID != "two" {
		t.Fatalf("state %s (%v)", dump(state), err)
	}
}

func TestNumberedCompletesTheBatch(t *testing.T) {
	ctx := context.Background()
	s := memory(t, Options{})
	commitT(t, s, write(0, Ref{}))
	b := write(1, Ref{})
	b.Values = map[string]json.RawMessage{}
	b.Numbered = func() {
		b.Values["idempotency"] = json.RawMessage(dump(b.Tasks[0].UID))
	}
	commitT(t, s, b)
	if v, err := s.Value(ctx, "idempotency"); err != nil || string(v) != "1" {
		t.Fatalf("value %s (%v)", v, err)
	}
	if _, d, err := s.Parts(ctx, 1); err != nil || len(d) != 4 || d[0].LSN != 2 {
		t.Fatalf("deliveries %s (%v)", dump(d), err)
	}
}

func TestForgottenTasksTakeTheirPartsAlong(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openT(t, Options{Dir: dir})
	done, open := write(1, Ref{}), write(2, appendT(t, s, "still needed"))
	done.Entries[0].Done = true
	commitT(t, s, done)
	commitT(t, s, open)
	commitT(t, s, &Batch{ForgetTasks: []int64{0, 1}})
	if e, d, err := s.Parts(ctx, 0); err != nil || len(e)+len(d) != 0 {
		t.Fatalf("parts of a forgotten task: %s %s (%v)", dump(e), dump(d), err)
	}
	page, err := s.Tasks(ctx, &TaskQuery{Limit: 10})
	if err != nil || page.Total != 0 || len(page.Tasks) != 0 {
		t.Fatalf("page %s (%v)", dump(page), err)
	}
	closeT(t, s)
	s = openT(t, Options{Dir: dir})
	state, err := s.Load(ctx)
	if err != nil || len(state.Entries) != 1 || state.LastTask != 1 || state.LastLSN != 2 {
		t.Fatalf("state %s (%v)", dump(state), err)
	}
	e := state.Entries[0]
	if got := readT(t, s, e.Payload); got != "still needed" {
		t.Fatalf("payload %q", got)
	}
	e.Done = true
	commitT(t, s, &Batch{Entries: []*Entry{e}})
	closeT(t, s)
	s = openT(t, Options{Dir: dir})
	if e, d, err := s.Parts(ctx, 1); err != nil || len(e)+len(d) != 0 {
		t.Fatalf("parts once done: %s %s (%v)", dump(e), dump(d), err)
	}
	next := write(3, Ref{})
	commitT(t, s, next)
	if next.Tasks[0].UID != 2 || next.Entries[0].LSN != 3 {
		t.Fatalf("a number was given twice: task %d, lsn %d", next.Tasks[0].UID, next.Entries[0].LSN)
	}
}

func TestOnlyOneProcessOpensTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, Options{Dir: dir})
	_, err := Open(context.Background(), Options{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "stop the Miroir") || !strings.Contains(err.Error(), dir) {
		t.Fatalf("second open: %v", err)
	}
	closeT(t, s)
	closeT(t, openT(t, Options{Dir: dir}))
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, Options{Dir: dir})
	closeT(t, s)
	w, err := openWriter(s.dsn(true))
	if err != nil {
		t.Fatal(err)
	}
	st, err := w.conn.Prepare("PRAGMA user_version = 99")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Exec(nil); err != nil { //nolint:staticcheck // the driver's own
		t.Fatal(err)
	}
	if err := errors.Join(st.Close(), w.close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer Miroir") {
		t.Fatalf("open: %v", err)
	}
}

func TestAnEphemeralStoreLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	s := openT(t, Options{Dir: parent, Ephemeral: true})
	commitT(t, s, write(1, appendT(t, s, "x")))
	closeT(t, s)
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v (%v)", left, err)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := memory(t, Options{})
	ref := appendT(t, s, "x")
	closeT(t, s)
	closeT(t, s)
	_, aerr := s.Journal().Append([]byte("y"))
	_, _, rerr := s.Journal().Read(ref)
	err := s.Commit(context.Background(), &Batch{})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(aerr, ErrUnavailable) || !errors.Is(s.Healthy(), ErrUnavailable) || rerr == nil {
		t.Fatalf("commit %v, append %v, healthy %v, read %v", err, aerr, s.Healthy(), rerr)
	}
}

func TestMetricsComeAndGoWithTheStore(t *testing.T) {
	reg := prometheus.NewRegistry()
	for range 2 {
		s := memory(t, Options{Registerer: reg})
		commitT(t, s, write(1, appendT(t, s, "x")))
		all, err := reg.Gather()
		if err != nil || len(all) != 6 {
			t.Fatalf("%d metrics (%v)", len(all), err)
		}
		closeT(t, s)
	}
}
