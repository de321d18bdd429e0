package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashChildEnv) != "" {
		crashChild()
		return
	}
	goleak.VerifyTestMain(m)
}

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func openT(t testing.TB, o Options) *disk {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // tests that care close themselves
	return s.(*disk)
}

// memory opens a store that does not wait for the disk.
func memory(t testing.TB, o Options) *disk {
	t.Helper()
	o.Ephemeral, o.Dir = true, t.TempDir()
	return openT(t, o)
}

func commitT(t testing.TB, s Store, b *Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func closeT(t testing.TB, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func newTask(n int) *Task {
	return &Task{UID: -1, IndexUID: "movies", IndexID: "ix1", Type: "documentAdditionOrUpdate", Status: "enqueued",
		Details: json.RawMessage(fmt.Sprintf(`{"receivedDocuments":%d,"indexedDocuments":null}`, n)), EnqueuedAt: t0}
}

// write is the batch of one typical write whose payload is already appended.
func write(n int, ref Ref) *Batch {
	task := newTask(n)
	e := &Entry{Task: task, IndexID: "ix1", Kind: "documents", Params: json.RawMessage(`{"primaryKey":"id"}`),
		Payload: ref, Nodes: []string{"a0", "a1", "b0", "b1"}}
	b := &Batch{Tasks: []*Task{task}, Entries: []*Entry{e}}
	for _, node := range e.Nodes {
		b.Deliveries = append(b.Deliveries, &Delivery{Entry: e, NodeID: node, State: DeliveryPending, UpdatedAt: t0})
	}
	return b
}

func appendT(t testing.TB, s Store, p string) Ref {
	t.Helper()
	ref, err := s.Journal().Append([]byte(p))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return ref
}

func readT(t testing.TB, s Store, ref Ref) string {
	t.Helper()
	p, release, err := s.Journal().Read(ref)
	if err != nil {
		t.Fatalf("read %+v: %v", ref, err)
	}
	defer release()
	return string(p)
}

// failingDisk fails what it is told to.
type failingDisk struct {
	osFiles
	mu                   sync.Mutex
	write, syncs, commit error
}

func (f *failingDisk) set(write, sync, commit error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write, f.syncs, f.commit = write, sync, commit
}

func (f *failingDisk) errs() (write, sync, commit error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write, f.syncs, f.commit
}

func (f *failingDisk) writeAt(file *os.File, head, body []byte, off int64) error {
	if err, _, _ := f.errs(); err != nil {
		// A full disk takes a part.
		_ = f.osFiles.writeAt(file, head, body[:len(body)/2], off)
		return err
	}
	return f.osFiles.writeAt(file, head, body, off)
}

func (f *failingDisk) sync(file *os.File) error {
	if _, err, _ := f.errs(); err != nil {
		return err
	}
	return f.osFiles.sync(file)
}

func (f *failingDisk) transaction(commit func() error) error {
	if _, _, err := f.errs(); err != nil {
		return err
	}
	return f.osFiles.transaction(commit)
}

// testLog keeps what the store said.
type testLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *testLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *testLog) Infof(f string, a ...any)  { l.add(f, a...) }
func (l *testLog) Warnf(f string, a ...any)  { l.add(f, a...) }
func (l *testLog) Errorf(f string, a ...any) { l.add(f, a...) }

func (l *testLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}
