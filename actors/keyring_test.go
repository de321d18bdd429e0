package actors

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// optioned is any write.
type optioned interface {
	Options() *messages.WriteOptions
}

// with gives a write an idempotency key.
func with[M optioned](key, request string, m M) M {
	m.Options().Idempotency = &messages.Idempotency{Owner: "master", Key: key, Request: request}
	return m
}

func TestTheSameKeyGivesTheSameTaskAlsoAfterARestart(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.must(adding("books", manyDocs(0, 3, "x")))
	meta := "job 4"
	makes := map[string]func() optioned{
		"documents": func() optioned { return adding("films", `[{"id":9}]`) },
		"deletion":  func() optioned { return &messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1"}} },
		"clearing": func() optioned {
			return &messages.ClearDocuments{IndexUID: "films", WriteOptions: messages.WriteOptions{CustomMetadata: &meta}}
		},
		"settings":                         func() optioned { return settingsOf("films", `{"stopWords":["a"]}`) },
		"an index":                         func() optioned { return &messages.CreateIndex{IndexUID: "new"} },
		"a renaming":                       func() optioned { return renaming("new", "newer") },
		"a swap":                           func() optioned { return swapping("films=books") },
		"a failing swap":                   func() optioned { return swapping("films=none") },
		"a write to an index that is none": func() optioned { return &messages.ClearDocuments{IndexUID: "none"} },
		"a cancelation": func() optioned {
			return &messages.CancelTasks{TaskSelection: messages.TaskSelection{Filter: "?uids=0"}}
		},
		"a deletion of tasks": func() optioned {
			return &messages.DeleteTasks{TaskSelection: messages.TaskSelection{Filter: "?uids=9999"}}
		},
		"the end of an index": func() optioned { return &messages.DeleteIndex{IndexUID: "newer"} },
	}
	order := []string{"documents", "deletion", "clearing", "settings", "an index", "a renaming", "a swap", "a failing swap",
		"a write to an index that is none", "the end of an index", "a cancelation", "a deletion of tasks"}
	answers := map[string]*messages.TaskAccepted{}
	last := int64(0)
	for _, name := range order {
		a := f.write(with("key "+name, "r", makes[name]()))
		if a.Err != nil {
			t.Fatalf("%s: %v", name, a.Err)
		}
		answers[name] = a
		last = f.ended(int64(a.Task.TaskUID)).UID
	}
	again := func(when string) {
		for _, name := range order {
			a := f.write(with("key "+name, "r", makes[name]()))
			if a.Err != nil || !reflect.DeepEqual(a.Task, answers[name].Task) {
				t.Errorf("%s %s: %+v, at first %+v (%v)", name, when, a.Task, answers[name].Task, a.Err)
			}
			if a := f.write(with("key "+name, "other", makes[name]())); a.Err == nil || a.Err.Code != "miroir_idempotency_key_reused" || a.Task != nil {
				t.Errorf("another request with the key of %s %s: %+v", name, when, a)
			}
		}
	}
	again("again")
	f.stop()
	f.start()
	again("after a restart")
	m := with("key documents", "other", adding("films", `[{"id":9}]`))
	m.Idempotency.Owner = "somebody else"
	if got := f.must(m).UID; got != last+1 {
		t.Errorf("the key of another owner got task %d, want the next one after %d", got, last)
	}
}

func TestConcurrentWritesWithOneKeyAreOneTask(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.nodes[0].PauseTasks() // the same while the task is under way
	defer f.nodes[0].ResumeTasks()
	for round := range 10 {
		key := fmt.Sprint("round ", round)
		var wg sync.WaitGroup
		got := make(chan *messages.TaskAccepted, 12)
		for i := range cap(got) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				request := "same"
				if i%4 == 3 {
					request = "other"
				}
				got <- f.write(with(key, request, adding("films", fmt.Sprintf(`[{"id":"r%d"}]`, round))))
			}()
		}
		wg.Wait()
		close(got)
		tasks, refused := map[uint32]int{}, 0
		for a := range got {
			switch {
			case a.Err == nil:
				tasks[a.Task.TaskUID]++
			case a.Err.Code == "miroir_idempotency_key_reused":
				refused++
			default:
				t.Error(a.Err)
			}
		}
		if len(tasks) != 1 || refused != 3 && refused != 9 {
			t.Errorf("round %d: tasks %v, %d refused", round, tasks, refused)
		}
	}
	page, err := f.c.Tasks(context.Background(), &store.TaskQuery{Limit: 1})
	if err != nil || page.Total != 11 {
		t.Errorf("%d tasks (%v)", page.Total, err)
	}
}

func TestAWriteThatWasRefusedLeavesItsKey(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	if a := f.write(with("k", "bad", adding("films", `[{"id":1}`))); a.Err == nil || a.Err.Code != "malformed_payload" {
		t.Fatalf("%+v", a)
	}
	f.down(0)
	f.down(1)
	if a := f.write(with("k", "r", adding("films", `[{"id":9}]`))); a.Err == nil || a.Err.Code != "miroir_no_quorum" || a.Task != nil {
		t.Fatalf("%+v", a)
	}
	f.up(0)
	f.up(1)
	f.untilState(0, stateReady)
	f.untilState(1, stateReady)
	first := f.must(with("k", "r", adding("films", `[{"id":9}]`)))
	if again := f.must(with("k", "r", adding("films", `[{"id":9}]`))); again.UID != first.UID {
		t.Errorf("tasks %d and %d", first.UID, again.UID)
	}
}

func TestAfterA503ThatLeftATaskTheKeyGivesThatTask(t *testing.T) {
	f := newFleet(t, 2, 1, 1, func(o *Options) { o.ProbeInterval = 1 << 40 })
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.nodes[0].Stop()
	f.nodes[1].Stop()
	clearing := func() optioned { return with("k", "r", &messages.ClearDocuments{IndexUID: "films"}) }
	first := f.write(clearing())
	if first.Err == nil || first.Err.Code != "miroir_no_quorum" || first.Task == nil {
		t.Fatalf("%+v", first)
	}
	if a := f.write(clearing()); a.Err != nil || a.Task.TaskUID != first.Task.TaskUID {
		t.Errorf("%+v", a)
	}
	if task := f.ended(int64(first.Task.TaskUID)); task.Status != api.Failed {
		t.Errorf("%s", task.Status)
	}
	if a := f.write(clearing()); a.Err != nil || a.Task.TaskUID != first.Task.TaskUID {
		t.Errorf("when it has failed: %+v", a)
	}
	f.up(0)
	f.up(1)
}

// slowStore holds commits back until it is told to go on.
type slowStore struct {
	store.Store
	wait chan struct{}
}

func (s *slowStore) Commit(ctx context.Context, b *store.Batch) error {
	if len(b.Tasks) > 0 && b.Tasks[0].Key != nil {
		<-s.wait
	}
	return s.Store.Commit(ctx, b)
}

func TestAKeyIsHeldUntilItIsKnownWhatBecameOfTheWrite(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.stop()
	slow := &slowStore{wait: make(chan struct{})}
	f.wrap = func(s store.Store) store.Store { slow.Store = s; return slow }
	f.start()
	f.must(adding("films", `[{"id":8}]`))
	// The write does not get its place in time, and yet will have it.
	f.c.opts.WriteTimeout = 100 * time.Millisecond // no other write is under way
	key, a := "", &messages.TaskAccepted{Err: &api.Error{Code: "miroir_overloaded"}}
	for i := 0; a.Err != nil && a.Err.Code == "miroir_overloaded"; i++ { // that one never reached the store: too slow a machine
		key = fmt.Sprint("k", i)
		a = f.write(with(key, "r", adding("films", `[{"id":9}]`)))
	}
	if a.Err == nil || a.Task != nil {
		t.Fatalf("%+v", a)
	}
	f.c.opts.WriteTimeout = 10 * time.Second
	done := make(chan *messages.TaskAccepted, 1)
	go func() { done <- f.write(with(key, "r", adding("films", `[{"id":9}]`))) }()
	if other := f.write(with(key, "other", adding("films", `[{"id":9}]`))); other.Err == nil || other.Err.Code != "miroir_idempotency_key_reused" {
		t.Errorf("another request: %+v", other)
	}
	close(slow.wait)
	a = <-done
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	f.ended(int64(a.Task.TaskUID))
	if page, err := f.c.Tasks(context.Background(), &store.TaskQuery{Limit: 1}); err != nil || page.Total != 3 {
		t.Errorf("%d tasks for 3 writes (%v)", page.Total, err)
	}
}
