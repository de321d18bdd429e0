package actors

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

func TestRangesGiveBackTheirUIDs(t *testing.T) {
	for _, uids := range [][]int64{nil, {0}, {3}, {0, 1, 2}, {1, 3, 5}, {0, 1, 2, 7, 8, 10}} {
		o := taskOrder{Tasks: toRanges(uids)}
		if got := o.next(-1, 100); !reflect.DeepEqual(got, uids) {
			t.Errorf("%v became %v and %v", uids, o.Tasks, got)
		}
		var pieces []int64
		for at := int64(-1); ; {
			piece := o.next(at, 2)
			if len(piece) == 0 {
				break
			}
			pieces, at = append(pieces, piece...), piece[len(piece)-1]
		}
		if !reflect.DeepEqual(pieces, uids) {
			t.Errorf("%v in pieces is %v", uids, pieces)
		}
	}
}

func TestADeletionWaitsAMomentForTasksThatRun(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	for _, n := range f.nodes {
		n.Faults().AddTask(embedded.TaskFault{Type: "documentAdditionOrUpdate", Times: 1, Delay: 200 * time.Millisecond})
	}
	running := f.accepted(adding("films", `[{"id":2}]`))
	by := f.must(deleting(store.TaskQuery{UIDs: []int64{running}}))
	if count(t, by, "matchedTasks") != 1 || count(t, by, "deletedTasks") != 1 {
		t.Errorf("details %s", by.Details)
	}
	if task, err := f.c.Task(t.Context(), running); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v %v", task, err)
	}
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestTasksThatHaveEndedAreDeleted(t *testing.T) {
	f := newFleet(t, 2, 1, 1, patient)
	for i := range 4 {
		f.must(adding("films", fmt.Sprintf(`[{"id":%d}]`, i)))
	}
	failed := f.ended(f.accepted(&messages.DeleteIndex{IndexUID: "nobody"}))
	free := f.blocked(0, 1)
	waits := f.queued(adding("films", `[{"id":9}]`))
	by := f.must(deleting(store.TaskQuery{UIDs: []int64{0, 2, failed.UID, waits, 99}}))
	if count(t, by, "matchedTasks") != 4 || count(t, by, "deletedTasks") != 3 || !strings.Contains(string(by.Details), `"originalFilter":"?test"`) {
		t.Errorf("details %s", by.Details)
	}
	for _, uid := range []int64{0, 2, failed.UID} {
		if task, err := f.c.Task(t.Context(), uid); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("task %d: %+v %v", uid, task, err)
		}
	}
	free()
	if task := f.ended(waits); task.Status != api.Succeeded {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	all := f.must(&messages.DeleteTasks{TaskSelection: messages.TaskSelection{Query: &store.TaskQuery{Types: []string{api.DocumentAdditionOrUpdate}}}})
	if n := count(t, all, "deletedTasks"); n != 5 {
		t.Errorf("details %s", all.Details)
	}
	none := f.must(&messages.DeleteTasks{TaskSelection: messages.TaskSelection{}})
	if count(t, none, "matchedTasks") != 0 || count(t, none, "deletedTasks") != 0 {
		t.Errorf("details %s", none.Details)
	}
	f.stop()
	f.start()
	if next := f.must(adding("films", `[{"id":10}]`)); next.UID != none.UID+1 {
		t.Errorf("task uid %d after %d", next.UID, none.UID)
	}
	if docs := f.equal("films"); len(docs) != 6 {
		t.Errorf("%d documents", len(docs))
	}
	if left, err := f.c.store.Values(t.Context(), "task-"); err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
}

// A node that was away when a task ended, and when it was deleted, still learns what
// it has missed, also over a restart.
func TestDeletedTasksStayWithANodeThatWasAway(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.down(1)
	f.must(adding("films", `[{"id":2}]`))
	f.must(settingsOf("films", `{"stopWords":["the"]}`))
	undo := f.nodes[0].Faults().AddTask(embedded.TaskFault{Code: "invalid_document_id", Times: 1, Type: api.DocumentDeletion})
	if task := f.ended(f.accepted(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1"}})); task.Status != api.Failed {
		t.Fatalf("%s %s", task.Status, task.Error)
	}
	undo()
	if by := f.must(deleting(store.TaskQuery{Statuses: []string{api.Succeeded, api.Failed}})); count(t, by, "deletedTasks") != 4 {
		t.Errorf("details %s", by.Details)
	}
	f.stop()
	f.start()
	f.nodes[1].Faults().AddTask(embedded.TaskFault{Code: "invalid_document_id", Times: 1, Type: api.DocumentDeletion})
	f.up(1)
	f.untilState(1, stateReady)
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestADeletionOfTasksIsCarriedOnAfterARestart(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	for i := range 3 {
		f.must(adding("films", fmt.Sprintf(`[{"id":%d}]`, i)))
	}
	f.stop()
	st := f.openStore()
	order := &store.Task{UID: -1, Type: api.TaskDeletion, Status: api.Processing, EnqueuedAt: time.Now(), StartedAt: time.Now(), Details: json.RawMessage(`{"matchedTasks":5,"deletedTasks":null,"originalFilter":"?x"}`)}
	b := &store.Batch{Tasks: []*store.Task{order}, Values: map[string]json.RawMessage{}, ForgetTasks: []int64{0}}
	b.Numbered = func() {
		b.Values[orderKey(order.UID)] = mustJSON(taskOrder{Tasks: [][2]int64{{0, 1}}})
		b.Values[progressKey(order.UID)] = mustJSON(orderProgress{UpTo: 0, Done: 1})
	}
	if err := st.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f.start()
	if task := f.ended(order.UID); task.Status != api.Succeeded || count(t, task, "deletedTasks") != 2 {
		t.Errorf("%+v %s", task, task.Details)
	}
	page, err := f.c.Tasks(t.Context(), &store.TaskQuery{Limit: 10})
	if err != nil || page.Total != 2 || page.Tasks[1].UID != 2 {
		t.Errorf("%+v %v", page, err)
	}
}

func TestTheOldestTasksAreDeletedWhenTheHistoryIsFull(t *testing.T) {
	f := newFleet(t, 1, 1, 1, func(o *Options) { o.MaxTasks, o.PruneInterval = 30, 20*time.Millisecond })
	for i := range 29 {
		f.accepted(&messages.DeleteIndex{IndexUID: fmt.Sprintf("nobody%d", i)}) // fails at once
	}
	f.must(adding("films", `[{"id":1}]`))
	var by *store.Task
	f.eventually("a task deletion has ended", func() bool {
		page, err := f.c.Tasks(t.Context(), &store.TaskQuery{Types: []string{api.TaskDeletion}, Limit: 10, Reverse: true})
		if err != nil || len(page.Tasks) == 0 || !page.Tasks[0].Finished() {
			return false
		}
		by = page.Tasks[0]
		return true
	})
	if count(t, by, "matchedTasks") != 3 || count(t, by, "deletedTasks") != 3 || !strings.Contains(string(by.Details), `"?beforeEnqueuedAt=`) {
		t.Errorf("details %s", by.Details)
	}
	if _, err := f.c.Task(t.Context(), 2); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("task 2: %v", err)
	}
	if _, err := f.c.Task(t.Context(), 3); err != nil {
		t.Errorf("task 3: %v", err)
	}
	page, err := f.c.Tasks(t.Context(), &store.TaskQuery{Limit: 1})
	if err != nil || page.Total >= 30 {
		t.Errorf("%d tasks are kept, %v", page.Total, err)
	}
}
