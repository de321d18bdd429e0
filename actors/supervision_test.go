package actors

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

func TestReadsThatWaitAtAPanickingNodeActorAreServedByOthers(t *testing.T) {
	f := newFleet(t, 2, 1, 1, func(o *Options) { o.SlotsPerNode = 1 })
	f.must(adding("films", manyDocs(1, 10, "x")))
	// One call takes the only slot of each node; the others wait in the actors.
	undo := f.nodes[0].Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Hang: true, Times: 1})
	var wg sync.WaitGroup
	answers := make([]*messages.Answer, 12)
	for i := range answers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			answers[i] = f.read(&messages.Search{IndexUID: "films", Body: []byte(`{"q":"common"}`)})
		}()
	}
	f.eventually("a call hangs", func() bool { return f.nodes[0].Faults().Hits() > 0 })
	f.crashNode(0)
	f.eventually("the panic is counted", func() bool { return f.panics("node") == 1 })
	undo()
	wg.Wait()
	for i, a := range answers {
		if a.Err != nil || a.Degraded != "" {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
	f.untilState(0, stateReady)
}

func TestWritesSurvivePanicsOfEveryLongLivedActor(t *testing.T) {
	for name, blow := range map[string]func(f *fleet){
		"a node actor":      func(f *fleet) { f.crashNode(0) },
		"both node actors":  func(f *fleet) { f.crashNode(0); f.crashNode(1) },
		"the task keeper":   func(f *fleet) { f.crashKeeper() },
		"the keeper twice":  func(f *fleet) { f.crashKeeper(); f.crashKeeper() },
		"the sequencer":     func(f *fleet) { f.crashSequencer("films") },
		"all of them":       func(f *fleet) { f.crashSequencer("films"); f.crashNode(1); f.crashKeeper(); f.crashNode(0) },
		"keeper and a node": func(f *fleet) { f.crashNode(0); f.crashKeeper() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(adding("films", manyDocs(0, 5, "before")))
			var mu sync.Mutex
			sure, tasks := map[string]bool{}, map[int64]bool{} // whether they were acknowledged
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range 6 {
						id := fmt.Sprintf("w%d-%d", w, i)
						a := f.write(adding("films", fmt.Sprintf(`[{"id":%q,"by":%d},{"id":"shared","by":"%d-%d"}]`, id, w, w, i)))
						mu.Lock()
						if a.Task != nil {
							sure[id], tasks[int64(a.Task.TaskUID)] = a.Err == nil, a.Err == nil
						} else if a.Err == nil || a.Err.Code != "miroir_no_quorum" {
							t.Errorf("write %s: %+v", id, a)
						}
						mu.Unlock()
						if i == 1 && w < 2 || i == 3 && w == 2 {
							blow(f)
						}
					}
				}()
			}
			wg.Wait()
			for uid, acknowledged := range tasks {
				// A write whose outcome was unknown may have been taken by nobody.
				if task := f.ended(uid); task.Status != api.Succeeded && (acknowledged || errorCode(task.Error) != "miroir_no_quorum") {
					t.Errorf("task %d (acknowledged: %t): %s %s", uid, acknowledged, task.Status, task.Error)
				}
			}
			docs := f.equal("films")
			for id, acknowledged := range sure {
				if _, has := docs[id]; acknowledged && !has {
					t.Errorf("document %s was acknowledged and is lost", id)
				}
			}
			f.must(adding("films", `[{"id":"last"}]`))
		})
	}
}

func TestAPanicWithAWriteInFlightDoesNotMakeItTwice(t *testing.T) {
	for name, blow := range map[string]func(f *fleet){
		"of the node actor":      func(f *fleet) { f.crashNode(0) },
		"of the task keeper":     func(f *fleet) { f.crashKeeper() },
		"of the sequencer":       func(f *fleet) { f.crashSequencer("films") },
		"of node actor, keeper":  func(f *fleet) { f.crashNode(0); f.crashKeeper() },
		"of the node actor, x 3": func(f *fleet) { f.crashNode(0); f.crashNode(0); f.crashNode(0) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 1, 1, 1)
			f.must(adding("films", manyDocs(0, 2, "x")))
			before := f.c.nodes[0].lastTask.Load()
			undo := f.nodes[0].Faults().Add(embedded.Fault{Method: "POST", Path: f.documentsOf("films"), Hang: true, Times: 1})
			out := make(chan *messages.TaskAccepted, 1)
			go func() { out <- f.write(adding("films", `[{"id":7}]`)) }()
			f.eventually("the call hangs", func() bool { return f.nodes[0].Faults().Hits() > 0 })
			blow(f)
			undo()
			a := <-out
			if a.Task == nil {
				t.Fatalf("no task: %+v", a)
			}
			f.ended(int64(a.Task.TaskUID))
			if _, has := f.equal("films")["7"]; !has {
				t.Error("the document is not there")
			}
			if n := f.c.nodes[0].lastTask.Load() - before; n != 1 {
				t.Errorf("the node was given %d tasks for one write", n)
			}
		})
	}
}

func TestAReadStoppedBeforeItBeganPanicsNowhere(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", manyDocs(0, 2, "x")))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		if a := f.c.Read(gone, &messages.Search{IndexUID: "films", Body: []byte(`{}`)}); a.Err == nil && a.Status != 200 {
			t.Errorf("%+v", a)
		}
	}
	if n := f.panics("read coordinator"); n != 0 {
		t.Errorf("%v panics", n)
	}
	if f.state(0) != stateReady {
		t.Error("clients that left made the node look broken")
	}
}

func TestAClientsOwnDeadlineDoesNotMakeANodeLookBroken(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", manyDocs(0, 2, "x")))
	undo := f.nodes[0].Faults().Add(embedded.Fault{Method: "POST", Path: "/indexes/*", Hang: true})
	short, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	f.c.Read(short, &messages.Search{IndexUID: "films", Body: []byte(`{}`)})
	reply := suspicion(short, nil, errTest)
	undo()
	if reply.err != nil || f.state(0) != stateReady {
		t.Errorf("suspicion %v, state %s", reply, f.state(0))
	}
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", manyDocs(0, 2, "x")))
	f.nodes[0].Faults().Add(embedded.Fault{Method: "POST", Path: "/indexes/*", Hang: true})
	out := make(chan *api.Error, 2)
	go func() {
		a := f.write(adding("films", `[{"id":7}]`))
		if a.Err == nil {
			t.Errorf("the write was answered with %+v", a)
		}
		out <- a.Err
	}()
	f.eventually("the write hangs", func() bool { return f.nodes[0].Faults().Hits() > 0 })
	go func() {
		a := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`)})
		if a.Err == nil {
			t.Errorf("the read was answered with %d %s", a.Status, a.Body)
		}
		out <- a.Err
	}()
	f.eventually("the read hangs", func() bool { return f.nodes[0].Faults().Hits() > 1 })
	c := f.c
	stopped, cancel := context.WithTimeout(context.Background(), 1e10)
	defer cancel()
	if err := c.Stop(stopped); err != nil { // while the node still hangs
		t.Error(err)
	}
	f.stop()
	for range 2 {
		if err := <-out; err == nil || strings.Contains(err.Code, "internal") {
			t.Errorf("answered with %v", err)
		}
	}
	if a := c.Read(context.Background(), &messages.Search{IndexUID: "films", Body: []byte(`{}`)}); a.Err == nil {
		t.Error("a stopped cluster reads")
	}
	if a := c.Write(context.Background(), adding("films", `[]`)); a.Err == nil {
		t.Error("a stopped cluster writes")
	}
}

// A message that comes while the supervisor waits for its children starts no other
// child, which nobody would stop.
func TestNothingIsStartedWhileTheClusterStops(t *testing.T) {
	for range 5 {
		f := newFleet(t, 1, 1, 1)
		f.must(adding("films", manyDocs(0, 2, "x")))
		for range 20_000 { // which take the supervisor longer than us
			f.c.tell(f.c.root, &toSequencerIfRunning{"none", &settled{}})
		}
		f.c.sys.Root.Poison(f.c.root)
		for i := range 50 {
			h := f.c.registry.reserve(fmt.Sprintf("late-%d", i), 1)
			f.c.tell(f.c.root, &toSequencer{h, &settled{}})
		}
		f.stop()
	}
}
