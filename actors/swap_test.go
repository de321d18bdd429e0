package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

func swapping(pairs ...string) *messages.SwapIndexes {
	m := &messages.SwapIndexes{Swaps: []api.Swap{}}
	for _, p := range pairs {
		a, b, rename := strings.Cut(p, ">")
		if !rename {
			a, b, _ = strings.Cut(p, "=")
		}
		m.Swaps = append(m.Swaps, api.Swap{Indexes: []string{a, b}, Rename: rename})
	}
	return m
}

func renaming(from, to string) *messages.UpdateIndex {
	return &messages.UpdateIndex{IndexUID: from, NewUID: &to}
}

// titles lists the titles of an index in the order of insertion.
func (f *fleet) titles(index string) string {
	f.t.Helper()
	p, _ := f.search(index, `{"limit":1000}`)
	var out []string
	for _, h := range p.Hits {
		out = append(out, fmt.Sprint(h["title"]))
	}
	return strings.Join(out, " ")
}

func (f *fleet) uids() string {
	var out []string
	for _, i := range f.c.Indexes() {
		out = append(out, i.UID)
	}
	return strings.Join(out, " ")
}

// failure is the message of the error that a write's task ends with.
func (f *fleet) failure(msg any) string {
	f.t.Helper()
	t := f.ended(f.accepted(msg))
	var e api.Error
	if t.Status != api.Failed || json.Unmarshal(t.Error, &e) != nil {
		f.t.Fatalf("task %d of %T: %s %s", t.UID, msg, t.Status, t.Error)
	}
	return e.Code + ": " + e.Message
}

func title(id int, text string) string { return fmt.Sprintf(`[{"id":%d,"title":%q}]`, id, text) }

func TestSwapExchangesIndexes(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	for _, uid := range []string{"a", "b", "c", "d"} {
		f.must(adding(uid, title(1, uid)))
	}
	first := f.must(settingsOf("a", `{"sortableAttributes":["id"]}`))
	task := f.must(swapping("a=b", "c=d"))
	if got := f.titles("a") + f.titles("b") + f.titles("c") + f.titles("d"); got != "badc" {
		t.Fatalf("titles %s", got)
	}
	if string(task.Details) != `{"swaps":[{"indexes":["a","b"],"rename":false},{"indexes":["c","d"],"rename":false}]}` || task.IndexUID != "" {
		t.Errorf("task %s of %q", task.Details, task.IndexUID)
	}
	// the settings and the earlier tasks went along
	if i, _ := f.c.Index("b"); !strings.Contains(string(i.Settings), `"sortableAttributes":["id"]`) {
		t.Errorf("settings %s", i.Settings)
	}
	if moved, err := f.c.Task(context.Background(), first.UID); err != nil || moved.IndexUID != "b" {
		t.Errorf("the task of a is one of %q (%v)", moved.IndexUID, err)
	}
	f.must(adding("a", title(2, "new")))
	if got := f.titles("a") + "/" + f.titles("b"); got != "b new/a" {
		t.Fatalf("titles %s", got)
	}
	f.must(swapping("b=a"))
	if got := f.titles("a") + "/" + f.titles("b"); got != "a/b new" {
		t.Fatalf("titles %s", got)
	}
	f.equal("a")
	f.equal("b")
}

// A sequencer that was started again tells of what it has read, which may have
// ended since.
func TestATaskThatHasEndedIsNotEndedAgain(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	first := f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	swap := f.must(swapping("a=b"))
	for _, ended := range []*store.Task{first, swap} {
		rows, _, err := f.c.store.Parts(context.Background(), ended.UID)
		if err != nil || len(rows) == 0 {
			t.Fatalf("task %d has %d entries (%v)", ended.UID, len(rows), err)
		}
		stale := *ended
		stale.Status = api.Enqueued
		m := &track{task: &stale}
		for _, row := range rows {
			e, err := newEntry(row, f.c.registry.tableOf(row.IndexID, f.opts.Shards))
			if err != nil {
				t.Fatal(err)
			}
			m.entries = append(m.entries, e)
		}
		f.c.tell(f.c.keeper, m)
	}
	f.must(adding("a", title(2, "behind it")))
	f.must(adding("b", title(2, "behind it")))
	if again, err := f.c.Task(context.Background(), first.UID); err != nil || again.IndexUID != "b" || !again.FinishedAt.Equal(first.FinishedAt) {
		t.Errorf("the first task is now one of %q and ended at %v, before at %v (%v)", again.IndexUID, again.FinishedAt, first.FinishedAt, err)
	}
}

func TestSwapRenames(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	f.must(swapping("a>z", "b>y"))
	if f.uids() != "y z" || f.titles("z")+f.titles("y") != "ab" {
		t.Fatalf("indexes %s", f.uids())
	}
	f.must(adding("a", title(1, "another")))
	if got := f.titles("a") + f.titles("z"); got != "anothera" {
		t.Fatalf("titles %s", got)
	}
}

func TestAnIndexIsRenamed(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("a", title(1, "a")))
	task := f.must(renaming("a", "z"))
	if string(task.Details) != `{"primaryKey":null,"oldIndexUid":"a","newIndexUid":"z"}` || task.IndexUID != "a" {
		t.Errorf("task %s of %q", task.Details, task.IndexUID)
	}
	if f.uids() != "z" || f.titles("z") != "a" {
		t.Fatalf("indexes %s", f.uids())
	}
	f.must(renaming("z", "z"))
	f.must(adding("a", title(7, "new")))
	if got := f.failure(renaming("a", "z")); got != "index_already_exists: Index `z` already exists." {
		t.Error(got)
	}
	if got := f.failure(renaming("nope", "more")); got != "index_not_found: Index `nope` not found." {
		t.Error(got)
	}
	if got := f.titles("a") + f.titles("z"); got != "newa" {
		t.Fatalf("titles %s", got)
	}
	key := "other"
	f.must(&messages.CreateIndex{IndexUID: "fresh"})
	both := renaming("fresh", "old")
	both.PrimaryKey = &key
	f.must(both)
	if i, ok := f.c.Index("old"); !ok || i.PrimaryKey != "other" {
		t.Errorf("%+v %v", i, ok)
	}
}

func TestSwapsThatCannotBe(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	for pairs, want := range map[string]string{
		"a=x":     "index_not_found: Index `x` not found.",
		"y=x":     "index_not_found: Indexes `x`, `y` not found.",
		"x>y":     "index_not_found: Index `x` not found.",
		"a>b":     "index_already_exists: Cannot rename `a` to `b` as the index already exists. Hint: You can remove `b` first and then do your remove.",
		"a=b x=y": "index_not_found: Indexes `x`, `y` not found.",
	} {
		if got := f.failure(swapping(strings.Fields(pairs)...)); got != want {
			t.Errorf("%s: %s, want %s", pairs, got, want)
		}
	}
	f.must(swapping())
	if got := f.titles("a") + f.titles("b") + " " + f.uids(); got != "ab a b" {
		t.Fatal(got)
	}
	f.must(&messages.DeleteIndex{IndexUID: "b"})
	if got := f.failure(swapping("a=b")); got != "index_not_found: Index `b` not found." {
		t.Error(got)
	}
	f.must(swapping("a>b")) // the uid is free again
}

func TestWritesAroundASwapFollowTheNames(t *testing.T) {
	// Nothing waits for a task: what a uid means is decided by the order alone.
	f := newFleet(t, 2, 2, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	var tasks []int64
	for i := range 10 {
		tasks = append(tasks, f.accepted(adding("a", title(10+i, fmt.Sprintf("to-a-%d", i)))))
		tasks = append(tasks, f.accepted(swapping("a=b")))
	}
	for _, uid := range tasks {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Fatalf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	// even numbers went to the first index, odd ones to the second
	a, b := f.titles("a"), f.titles("b")
	if a != "a to-a-0 to-a-2 to-a-4 to-a-6 to-a-8" || b != "b to-a-1 to-a-3 to-a-5 to-a-7 to-a-9" {
		t.Fatalf("%s / %s", a, b)
	}
	f.equal("a")
	f.equal("b")
}

func TestConcurrentSwapsAndWritesEnd(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	names := []string{"a", "b", "c"}
	for _, n := range names {
		f.must(adding(n, title(0, n)))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var tasks []int64
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 6 {
				var m any = adding(names[(w+i)%3], title(100*w+i+1, "x"))
				if i%2 == 0 {
					m = swapping(names[(w+i)%3] + "=" + names[(w+i+1)%3])
				}
				a := f.write(m)
				if a.Err != nil {
					t.Errorf("%T: %v", m, a.Err)
					continue
				}
				mu.Lock()
				tasks = append(tasks, int64(a.Task.TaskUID))
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	for _, uid := range tasks {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Errorf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	total := 0
	for _, n := range names {
		total += len(f.equal(n))
	}
	if total != 3+12 {
		t.Errorf("%d documents, want 15", total)
	}
}

func TestSwapSurvivesRestarts(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	// the task before it cannot end, so the swap is decided and not carried out
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	first := f.accepted(adding("a", title(2, "before")))
	swap := f.accepted(swapping("a=b"))
	after := f.accepted(adding("a", title(3, "after")))
	if got := f.titles("a"); got != "a" {
		t.Fatalf("visible before its turn: %s", got)
	}
	if task, err := f.c.Task(context.Background(), swap); err != nil || task.Finished() {
		t.Fatalf("swap %+v (%v)", task, err)
	}
	f.stop()
	f.start()
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	for _, uid := range []int64{first, swap, after} {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Fatalf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	if got := f.titles("a") + "/" + f.titles("b"); got != "b after/a before" {
		t.Fatal(got)
	}
	f.stop()
	f.start()
	f.must(adding("b", title(4, "later")))
	if got := f.titles("a") + "/" + f.titles("b"); got != "b after/a before later" {
		t.Fatal(got)
	}
}

func TestSequencerThatPanicsWhileASwapStandsStill(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	for i := range 4 {
		done := make(chan *messages.TaskAccepted, 1)
		go func() { done <- f.write(swapping("a=b")) }()
		f.crashSequencer("a")
		f.crashSequencer("b")
		if a := <-done; a.Err == nil {
			f.ended(int64(a.Task.TaskUID))
		} else if a.Err.Code != "miroir_no_quorum" {
			t.Fatalf("round %d: %v", i, a.Err)
		}
		// both indexes take writes again, and still have one document each
		f.must(adding("a", title(1, "a")))
		f.must(adding("b", title(1, "b")))
		if f.titles("a") != "a" || f.titles("b") != "b" {
			t.Fatalf("round %d: %s / %s", i, f.titles("a"), f.titles("b"))
		}
	}
}

func TestSwapIsRefusedWhileTheStoreCannotWrite(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(1, "b")))
	f.stop()
	broken := &brokenStore{}
	f.wrap = func(s store.Store) store.Store { broken.Store = s; return broken }
	f.start()
	f.must(adding("a", title(1, "a"))) // their sequencers run
	f.must(adding("b", title(1, "b")))
	broken.on.Store(true)
	for _, m := range []any{swapping("a=b"), swapping("a>c"), renaming("a", "c")} {
		if a := f.write(m); a.Err == nil || a.Err.Code != "miroir_store_unavailable" {
			t.Fatalf("%T: %+v", m, a)
		}
	}
	broken.on.Store(false)
	if f.titles("a")+f.titles("b") != "ab" {
		t.Error("something was swapped")
	}
	f.must(adding("c", title(1, "c"))) // the name was not kept
	f.must(swapping("a=b"))
	if f.titles("a")+f.titles("b")+f.titles("c") != "bac" {
		t.Error("not swapped")
	}
}

// brokenStore refuses every commit while it is on.
type brokenStore struct {
	store.Store
	on atomic.Bool
}

func (s *brokenStore) Commit(ctx context.Context, b *store.Batch) error {
	if s.on.Load() {
		return store.ErrUnavailable
	}
	return s.Store.Commit(ctx, b)
}

func TestSwapsAndRenamesOfTheSameIndexes(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("a", title(1, "first")))
	f.must(adding("c", title(1, "second")))
	for round := range 30 {
		var wg sync.WaitGroup
		tasks := make(chan int64, 3)
		for _, m := range []any{renaming("a", "b"), swapping("a=b"), swapping("b=c")} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if a := f.write(m); a.Err == nil {
					tasks <- int64(a.Task.TaskUID)
				} else {
					t.Errorf("round %d: %T: %v", round, m, a.Err)
				}
			}()
		}
		wg.Wait()
		close(tasks)
		for uid := range tasks {
			f.ended(uid) // one or the other fails, depending on who came first
		}
		// Whatever happened, there are two indexes with a name each, and they take writes.
		names := strings.Fields(f.uids())
		if len(names) != 2 {
			t.Fatalf("round %d: %v", round, names)
		}
		for _, n := range names {
			f.must(updating(n, `[{"id":1,"round":1}]`))
		}
		if got := f.titles(names[0]) + f.titles(names[1]); got != "firstsecond" && got != "secondfirst" {
			t.Fatalf("round %d: %s", round, got)
		}
		back := "a"
		if slices.Contains(names, "a") {
			back = "c"
		}
		for _, n := range names { // as it was in the beginning
			if n != "a" && n != "c" {
				f.must(renaming(n, back))
			}
		}
	}
}

func TestASwapWithAnIndexThatWasNeverMadeLeavesItsNameFree(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("a", title(1, "a")))
	h := f.c.registry.reserve("ghost", 16) // a writer that will not make it
	if got := f.failure(swapping("a=ghost")); got != "index_not_found: Index `ghost` not found." {
		t.Error(got)
	}
	f.c.registry.leave("ghost", h)
	f.must(renaming("a", "ghost"))
}

// What is written behind a swap is not seen under the old name while the swap waits
// for an earlier task, also when Miroir starts again in between.
func TestWritesBehindASwapWaitForItsEnd(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("a", title(1, "a")))
	f.must(adding("b", title(2, "b")))
	idOn := func(n int) int { // the id of a document that lies on node n
		h, _ := f.c.registry.resolve("a")
		defer f.c.registry.leave("a", h)
		table := h.table.Load()
		for id := 10; ; id++ {
			if table.Held(n).Has(topology.ShardOf([]byte(strconv.Itoa(id)), f.opts.Shards)) {
				return id
			}
		}
	}
	slow, quick := idOn(0), idOn(1)
	f.nodes[0].PauseTasks()
	before := f.accepted(adding("a", title(slow, "before")))
	swap := f.accepted(swapping("a=b"))
	behind := f.accepted(adding("a", title(quick, "behind"))) // at once
	gone := f.accepted(&messages.DeleteIndex{IndexUID: "b"})  // nobody writes to it any more
	look := func() {
		t.Helper()
		for range 20 {
			time.Sleep(5 * time.Millisecond) // time for a write to come too early
			if got := f.titles("b"); got != "b" {
				t.Fatalf("index b shows %q before it is swapped", got)
			}
		}
	}
	look()
	f.stop()
	f.start()
	look()
	f.nodes[0].ResumeTasks()
	for _, uid := range []int64{before, swap, behind, gone} {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Errorf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	if a := f.titles("a"); a != "b behind" || f.uids() != "a" {
		t.Errorf("in the end a holds %q, and there are %s", a, f.uids())
	}
}
