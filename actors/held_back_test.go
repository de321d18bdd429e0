package actors

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// slowReadStore keeps what the first reading after arm has found until letGo.
type slowReadStore struct {
	store.Store

	mu   sync.Mutex
	gate *readGate
}

type readGate struct {
	has  chan struct{} // closed when something was read
	open chan struct{} // closed when it may be seen
}

func (s *slowReadStore) arm() *readGate {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = &readGate{has: make(chan struct{}), open: make(chan struct{})}
	return s.gate
}

func (s *slowReadStore) Load(ctx context.Context) (*store.State, error) {
	st, err := s.Store.Load(ctx)
	s.mu.Lock()
	g := s.gate
	s.gate = nil
	s.mu.Unlock()
	if g != nil {
		close(g.has)
		<-g.open
	}
	return st, err //nolint:wrapcheck // the store's own
}

// A sequencer that reads the store while a swap ends must not wait for that end: it
// has been told of it, and will not be told again.
func TestASwapThatEndsWhileASequencerReadsTheStore(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	slow := &slowReadStore{}
	f.wrap = func(s store.Store) store.Store { slow.Store = s; return slow }
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	before := f.accepted(adding("a", title(2, "before")))
	swap := f.accepted(swapping("a=b"))
	f.stop()
	f.start()
	for n := range f.nodes {
		f.eventually("a node is in service", func() bool { return f.state(n).up() })
	}
	gate := slow.arm()
	answer := make(chan *messages.TaskAccepted, 1)
	go func() { answer <- f.write(adding("a", title(3, "after"))) }()
	<-gate.has
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	f.ended(before)
	f.ended(swap)
	f.must(adding("c", title(1, "told behind the end of the swap")))
	close(gate.open)
	after := <-answer
	if after.Err != nil {
		t.Fatal(after.Err)
	}
	if task := f.ended(int64(after.Task.TaskUID)); task.Status != api.Succeeded {
		t.Fatalf("task %d: %s %s", task.UID, task.Status, task.Error)
	}
	if got := fmt.Sprint(f.titles("a"), "/", f.titles("b")); got != "b after/a before" {
		t.Error(got)
	}
	f.equal("a")
	f.equal("b")
}
