package actors

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

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

// A turn of a rebuild has its place behind what a swap holds back, too: it must not
// come before that.
func TestACallBehindASwapWaitsForWhatIsHeldBack(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	f.accepted(adding("a", title(2, "before")))
	swap := f.accepted(swapping("a=b"))
	after := f.accepted(adding("a", manyDocs(3, 20, "after"))) // on both nodes
	h, _ := f.c.registry.resolve("a")
	reply, ended, tasks := make(chan *watched, 1), make(chan laneCallEnd, 1), 0
	call := &laneCall{indexID: h.id, ended: ended, run: func(context.Context, *laneCall, sender) error {
		tasks = f.tasksOf(0, h.id)
		return nil
	}}
	had := f.tasksOf(0, h.id)
	f.c.tell(f.c.root, &toSequencer{handle: h, msg: &watchIndex{call: call, node: 0, reply: reply}})
	f.c.tell(f.c.root, &toSequencer{handle: h, msg: &settled{}}) // opens nothing
	select {
	case <-reply:
		t.Error("it was given its place before the swap had ended")
	case <-time.After(100 * time.Millisecond):
	}
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	f.ended(swap)
	if end := <-ended; end.err != nil {
		t.Error(end.err)
	}
	if tasks <= had {
		t.Errorf("the node had %d tasks of the index, %d before", tasks, had)
	}
	f.ended(after)
}
