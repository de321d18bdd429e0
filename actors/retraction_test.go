package actors

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// patient lets writes wait in the lanes for longer than a test.
func patient(o *Options) { o.WriteTimeout, o.WriteCallTimeout = 60*time.Second, 60*time.Second }

// blocked stops the lanes of nodes at a write to an index of its own, so that no
// later write reaches them until free is called.
func (f *fleet) blocked(nodes ...int) (free func()) {
	f.t.Helper()
	f.must(adding("blocker", `[{"id":0}]`))
	path := f.documentsOf("blocker")
	var undo []func()
	before := make([]int, len(f.nodes))
	for _, n := range nodes {
		before[n] = f.nodes[n].Faults().Hits()
		undo = append(undo, f.nodes[n].Faults().Add(embedded.Fault{Method: "POST", Path: path, Hang: true, Times: 1}))
	}
	done := f.later(adding("blocker", manyDocs(0, 40, "x"))) // for all nodes
	f.eventually("the lanes are blocked", func() bool {
		for _, n := range nodes {
			if f.nodes[n].Faults().Hits() == before[n] {
				return false
			}
		}
		return true
	})
	return func() {
		for _, u := range undo {
			u()
		}
		<-done
	}
}

// later writes in the background.
func (f *fleet) later(msg any) <-chan *messages.TaskAccepted {
	out := make(chan *messages.TaskAccepted, 1)
	go func() { out <- f.c.Write(f.t.Context(), msg) }()
	return out
}

// queued writes in the background and waits until the write has its task.
func (f *fleet) queued(msg any) int64 {
	f.t.Helper()
	uid := f.newest() + 1
	f.later(msg)
	f.eventually(fmt.Sprintf("%T has its task", msg), func() bool { return f.newest() >= uid })
	return uid
}

// newest is the uid of the newest task, -1 when there is none.
func (f *fleet) newest() int64 {
	f.t.Helper()
	page, err := f.c.Tasks(f.t.Context(), &store.TaskQuery{Limit: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	if len(page.Tasks) == 0 {
		return -1
	}
	return page.Tasks[0].UID
}

func cancelling(q store.TaskQuery) *messages.CancelTasks {
	return &messages.CancelTasks{TaskSelection: messages.TaskSelection{Query: &q, Filter: "?test"}}
}

func deleting(q store.TaskQuery) *messages.DeleteTasks {
	return &messages.DeleteTasks{TaskSelection: messages.TaskSelection{Query: &q, Filter: "?test"}}
}

// count is a number in the details of a task.
func count(t *testing.T, task *store.Task, name string) int {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(task.Details, &d); err != nil {
		t.Fatal(err)
	}
	n, ok := d[name].(float64)
	if !ok {
		t.Fatalf("no %s in %s", name, task.Details)
	}
	return int(n)
}

var unfinished = store.TaskQuery{Statuses: []string{api.Enqueued, api.Processing}}

func TestTasksThatNoNodeWasHandedAreCanceled(t *testing.T) {
	f := newFleet(t, 2, 1, 1, patient)
	f.must(adding("films", `[{"id":1,"title":"a"},{"id":2,"title":"b"}]`))
	f.must(settingsOf("films", `{"stopWords":["the"]}`))
	free := f.blocked(0, 1)
	tasks := []int64{
		f.queued(adding("films", `[{"id":3,"title":"c"},{"id":1,"title":"A"}]`)),
		f.queued(settingsOf("films", `{"synonyms":{"x":["y"]}}`)),
		f.queued(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"2", "3"}}),
		f.queued(&messages.ClearDocuments{IndexUID: "films"}),
		f.queued(adding("people", `[{"peopleId":1,"id":1}]`)),
	}
	by := f.must(cancelling(store.TaskQuery{UIDs: tasks}))
	if count(t, by, "matchedTasks") != 5 || count(t, by, "canceledTasks") != 5 || !strings.Contains(string(by.Details), `"originalFilter":"?test"`) {
		t.Errorf("details %s", by.Details)
	}
	for _, uid := range tasks {
		task := f.ended(uid)
		if task.Status != api.Canceled || task.CanceledBy == nil || *task.CanceledBy != by.UID || task.Error != nil || task.StartedAt.IsZero() {
			t.Errorf("task %d: %+v", uid, task)
		}
		parts, err := f.c.TaskParts(t.Context(), uid)
		if err != nil || len(parts) < 2 || parts[0].State != string(store.DeliveryDropped) || len(parts[0].NodeTasks) > 0 {
			t.Errorf("parts %+v (%v)", parts, err)
		}
		if strings.Contains(string(task.Details), "null") && task.Type != api.DocumentDeletion || strings.Contains(string(task.Details), `Documents":null`) {
			t.Errorf("details %s", task.Details)
		}
	}
	if _, there := f.c.Index("people"); there {
		t.Error("the index of a canceled write is there")
	}
	// What comes now is built on what is left: another primary key, other settings, a new number for id 3.
	more := []<-chan *messages.TaskAccepted{
		f.later(adding("people", `[{"name":"x","uid":7}]`)),
		f.later(adding("films", `[{"id":4,"title":"d"},{"id":3,"title":"C"}]`)),
		f.later(settingsOf("films", `{"distinctAttribute":"n"}`)),
	}
	free()
	for _, m := range more {
		if a := <-m; a.Err != nil {
			t.Fatal(a.Err)
		} else if task := f.ended(int64(a.Task.TaskUID)); task.Status != api.Succeeded {
			t.Errorf("%s %s", task.Status, task.Error)
		}
	}
	if got := f.titles("films"); got != "a b d C" && got != "a b C d" {
		t.Errorf("films are %s", got)
	}
	iv, _ := f.c.registry.lookup("films")
	if s := string(iv.row.Settings); strings.Contains(s, `"x"`) || !strings.Contains(s, `"stopWords":["the"]`) || !strings.Contains(s, `"distinctAttribute":"n"`) {
		t.Errorf("settings %s", s)
	}
	if p, _ := f.c.Index("people"); p == nil || p.PrimaryKey != "uid" {
		t.Errorf("people is %+v", p)
	}
	f.equal("films")
	f.equal("people")
	if n := f.tasksOf(0, iv.row.ID); n != f.tasksOf(1, iv.row.ID) {
		t.Errorf("one node was given %d tasks, the other %d", n, f.tasksOf(1, iv.row.ID))
	}
}

func TestATaskThatANodeWasHandedIsCarriedOn(t *testing.T) {
	f := newFleet(t, 2, 1, 1, patient)
	f.must(adding("films", `[{"id":1}]`))
	free := f.blocked(1) // the other node takes everything
	first := f.queued(adding("films", `[{"id":2}]`))
	f.eventually("one node has it", func() bool { return len(f.stored(0, mustID(f, "films"))) == 2 })
	second := f.queued(adding("films", `[{"id":3}]`))
	f.eventually("one node has it", func() bool { return len(f.stored(0, mustID(f, "films"))) == 3 })
	by := f.must(cancelling(unfinished))
	if count(t, by, "canceledTasks") != 0 {
		t.Errorf("details %s", by.Details)
	}
	free()
	for _, uid := range []int64{first, second} {
		if task := f.ended(uid); task.Status != api.Succeeded || task.CanceledBy != nil {
			t.Errorf("%+v", task)
		}
	}
	if docs := f.equal("films"); len(docs) != 3 {
		t.Errorf("%d documents", len(docs))
	}
}

func mustID(f *fleet, uid string) string {
	f.t.Helper()
	iv, ok := f.c.registry.lookup(uid)
	if !ok {
		f.t.Fatalf("no index %s", uid)
	}
	return iv.row.ID
}

func TestATaskThatLaterOnesWereBuiltOnIsCarriedOn(t *testing.T) {
	f := newFleet(t, 1, 2, 1, patient)
	f.must(adding("films", `[{"id":1}]`))
	free := f.blocked(0, 1)
	first := f.queued(adding("films", manyDocs(10, 20, "x")))
	f.queued(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"10", "11", "1"}})
	last := f.queued(adding("films", manyDocs(40, 20, "x")))
	made := f.queued(adding("new", `[{"id":1}]`))
	f.queued(adding("new", `[{"id":2}]`))
	by := f.must(cancelling(store.TaskQuery{UIDs: []int64{first, last, made}}))
	if count(t, by, "matchedTasks") != 3 || count(t, by, "canceledTasks") != 1 {
		t.Errorf("details %s", by.Details)
	}
	free()
	for uid := first; uid <= made+1; uid++ {
		want := api.Succeeded
		if uid == last {
			want = api.Canceled
		}
		if task := f.ended(uid); task.Status != want {
			t.Errorf("task %d is %s, want %s", uid, task.Status, want)
		}
	}
	if task := f.ended(first + 1); count(t, task, "deletedDocuments") != 3 {
		t.Errorf("details %s", task.Details)
	}
	if docs := f.equal("films"); len(docs) != 18 {
		t.Errorf("%d documents", len(docs))
	}
	if docs := f.equal("new"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestNamesThatWereGivenOrFreedAreNotTakenBack(t *testing.T) {
	f := newFleet(t, 1, 1, 1, patient)
	f.must(adding("films", `[{"id":1}]`))
	f.must(adding("other", `[{"id":1},{"id":2}]`))
	free := f.blocked(0)
	swap := f.queued(swapping("films=other"))
	doc := f.queued(adding("films", `[{"id":3}]`)) // of what was other
	gone := f.queued(&messages.DeleteIndex{IndexUID: "other"})
	again := f.queued(adding("other", `[{"id":9}]`))
	by := f.must(cancelling(unfinished))
	if count(t, by, "canceledTasks") != 2 {
		t.Errorf("details %s", by.Details)
	}
	free()
	for uid, want := range map[int64]string{swap: api.Succeeded, doc: api.Canceled, gone: api.Succeeded, again: api.Canceled} {
		if task := f.ended(uid); task.Status != want {
			t.Errorf("task %d is %s, want %s", uid, task.Status, want)
		}
	}
	if got := f.uids(); got != "blocker films" {
		t.Errorf("indexes %s", got)
	}
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
	f.must(adding("other", `[{"id":9}]`))
}

// A cancelation under which an actor panics ends in one of its two outcomes.
func TestCancelationsSurvivePanics(t *testing.T) {
	for name, blow := range map[string]func(f *fleet){
		"the task keeper":   func(f *fleet) { f.crashKeeper() },
		"a node actor":      func(f *fleet) { f.crashNode(0) },
		"the sequencer":     func(f *fleet) { f.crashSequencer("films") },
		"keeper and a node": func(f *fleet) { f.crashNode(1); f.crashKeeper() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1, patient)
			f.must(adding("films", `[{"id":0}]`))
			canceled := 0
			for round := range 2 {
				free := f.blocked(0, 1)
				var tasks []int64
				for i := range 3 {
					tasks = append(tasks, f.queued(adding("films", fmt.Sprintf(`[{"id":"r%d-%d"}]`, round, i))))
				}
				var wg sync.WaitGroup
				wg.Add(1)
				var by *messages.TaskAccepted
				go func() {
					defer wg.Done()
					by = f.c.Write(t.Context(), cancelling(unfinished))
				}()
				if round > 0 {
					time.Sleep(time.Duration(round) * time.Millisecond)
				}
				blow(f)
				wg.Wait()
				if by.Err != nil {
					t.Fatal(by.Err)
				}
				end := f.ended(int64(by.Task.TaskUID))
				free()
				n := 0
				for i, uid := range tasks {
					task := f.ended(uid)
					_, there := f.equal("films")[fmt.Sprintf("r%d-%d", round, i)]
					switch {
					case task.Status == api.Canceled && !there:
						n++
					case task.Status == api.Succeeded && there:
					default:
						t.Errorf("task %d is %s, its document is there: %v", uid, task.Status, there)
					}
				}
				if n != count(t, end, "canceledTasks") {
					t.Errorf("%d tasks were canceled, details %s", n, end.Details)
				}
				canceled += n
			}
			t.Logf("%d of 6 tasks canceled", canceled)
			f.must(adding("films", `[{"id":"last"}]`))
		})
	}
}

// A proxy that dies after it took a cancelation carries it on.
func TestACancelationIsCarriedOnAfterARestart(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.down(0)
	f.down(1)
	f.stop()
	st := f.openStore()
	order := &store.Task{UID: -1, Type: api.TaskCancelation, Status: api.Enqueued, EnqueuedAt: time.Now(), Details: json.RawMessage(`{"matchedTasks":2,"canceledTasks":null,"originalFilter":"?x"}`)}
	waits := &store.Task{UID: -1, IndexUID: "films", Type: api.DocumentDeletion, Status: api.Enqueued, EnqueuedAt: time.Now(), Details: json.RawMessage(`{"deletedDocuments":null}`)}
	b := &store.Batch{Tasks: []*store.Task{waits, order}, Values: map[string]json.RawMessage{}}
	b.Numbered = func() { b.Values[orderKey(order.UID)] = mustJSON(taskOrder{Tasks: toRanges([]int64{0, waits.UID})}) }
	if err := st.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f.up(0)
	f.up(1)
	f.start()
	// The waiting task has no entry, so it ends at once or is canceled.
	if task := f.ended(order.UID); task.Status != api.Succeeded || count(t, task, "canceledTasks") > 1 || task.StartedAt.IsZero() {
		t.Errorf("%+v %s", task, task.Details)
	}
	f.ended(waits.UID)
	if left, err := f.c.store.Values(t.Context(), "task-"); err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
	f.must(adding("films", `[{"id":2}]`))
}

func TestAWriteWithItsIndexIsGivenUpWhenNoNodeCouldTakeIt(t *testing.T) {
	f := newFleet(t, 2, 1, 1, func(o *Options) { o.ProbeInterval = 1 << 40 })
	f.must(adding("films", `[{"id":1}]`))
	f.nodes[0].Stop()
	f.nodes[1].Stop()
	a := f.write(adding("people", `[{"id":1}]`))
	if a.Err == nil || a.Err.Code != "miroir_no_quorum" || a.Task == nil {
		t.Fatalf("%+v", a)
	}
	task := f.ended(int64(a.Task.TaskUID))
	if task.Status != api.Failed || !strings.Contains(string(task.Error), "miroir_no_quorum") || count(t, task, "indexedDocuments") != 0 {
		t.Errorf("%s %s %s", task.Status, task.Error, task.Details)
	}
	f.up(0)
	f.up(1)
	f.untilState(0, stateReady)
	f.untilState(1, stateReady)
	f.idle()
	if got := f.uids(); got != "films" {
		t.Errorf("indexes %s", got)
	}
	f.must(adding("people", `[{"uid":1}]`))
}
