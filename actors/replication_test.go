package actors

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

func TestConcurrentWritersOfTheSameDocumentsEndWithEqualReplicas(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(adding("films", manyDocs(0, 20, "first")))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var tasks []int64
	for w := range 5 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 8 {
				var m any
				switch r.IntN(5) {
				case 0:
					m = &messages.DeleteDocuments{IndexUID: "films", IDs: []string{fmt.Sprint(r.IntN(20)), fmt.Sprint(r.IntN(20))}}
				case 1:
					m = updating("films", fmt.Sprintf(`[{"id":%d,"w%d":%d}]`, r.IntN(20), w, i))
				default:
					m = adding("films", manyDocs(r.IntN(15), 6, fmt.Sprintf("w%d-%d", w, i)))
				}
				if a := f.write(m); a.Err == nil {
					mu.Lock()
					tasks = append(tasks, int64(a.Task.TaskUID))
					mu.Unlock()
				} else {
					t.Errorf("%T: %v", m, a.Err)
				}
			}
		}()
	}
	wg.Wait()
	for _, uid := range tasks {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Errorf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	f.equal("films")
}

func TestWritesToSeveralIndexesAtOnceAreMadeOnceEach(t *testing.T) {
	// Entries of different indexes may reach a lane in another order than that
	// of their numbers.
	f := newFleet(t, 1, 1, 1)
	const indexes, writes = 6, 6
	for i := range indexes {
		f.must(adding(fmt.Sprintf("i%d", i), `[{"id":0}]`))
	}
	before := f.c.nodes[0].lastTask.Load()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range indexes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range writes {
				if a := f.write(adding(fmt.Sprintf("i%d", i), fmt.Sprintf(`[{"id":%d}]`, k+1))); a.Err != nil {
					failed.Add(1)
				}
			}
		}()
	}
	wg.Wait()
	f.idle()
	if got := f.c.nodes[0].lastTask.Load() - before; got != indexes*writes || failed.Load() > 0 {
		t.Errorf("%d node tasks for %d writes, %d refused", got, indexes*writes, failed.Load())
	}
	for i := range indexes {
		if docs := f.equal(fmt.Sprintf("i%d", i)); len(docs) != writes+1 {
			t.Errorf("index %d has %v", i, sortedKeys(docs))
		}
	}
}

func TestANodeThatWasAwayCatchesUpAndReadsNeverFailMeanwhile(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["gen"]}`))
	f.must(adding("films", `[{"id":1,"gen":0}]`))
	var settledGen atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := settledGen.Load()
				a := f.read(&messages.Search{IndexUID: "films", Body: []byte(fmt.Sprintf(`{"filter":"gen >= %d"}`, least))})
				if a.Err != nil || a.Degraded != "" {
					t.Errorf("a read failed: %+v", a)
					return
				}
				if strings.Contains(string(a.Body), `"hits":[]`) {
					t.Errorf("a read is older than a settled task: %d, %s", least, a.Body)
					return
				}
			}
		}()
	}
	for gen := 1; gen <= 24; gen++ {
		switch gen {
		case 5:
			f.nodes[1].Stop()
		case 13:
			f.up(1)
		}
		a := f.write(adding("films", fmt.Sprintf(`[{"id":1,"gen":%d},{"id":%d,"gen":%d}]`, gen, gen+1, gen)))
		if a.Err != nil {
			t.Fatalf("write %d: %v", gen, a.Err)
		}
		if gen == 10 && a.Degraded == "" {
			t.Error("a write that a group missed has no header")
		}
		if task := f.ended(int64(a.Task.TaskUID)); task.Status != api.Succeeded {
			t.Fatalf("write %d: %s %s", gen, task.Status, task.Error)
		}
		settledGen.Store(int64(gen))
	}
	f.untilState(1, stateReady)
	close(stop)
	wg.Wait()
	if docs := f.equal("films"); len(docs) != 25 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestAWriteThatAGroupMissesSaysSo(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.down(1)
	a := f.write(adding("films", `[{"id":9}]`))
	if a.Err != nil || !strings.HasPrefix(a.Degraded, "groups=1; shards=") {
		t.Errorf("%+v", a)
	}
	if task := f.ended(int64(a.Task.TaskUID)); task.Status != api.Succeeded {
		t.Errorf("%+v", task)
	}
	f.up(1)
	f.equal("films")
}

func TestWithoutQuorumAnywhereNothingIsNumbered(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	last := f.must(adding("films", manyDocs(0, 3, "x"))).UID
	f.down(0)
	f.down(1)
	for _, m := range []any{
		adding("films", `[{"id":9}]`), adding("new", `[{"id":9}]`), &messages.ClearDocuments{IndexUID: "films"},
		&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1"}}, settingsOf("films", `{"stopWords":["a"]}`),
		&messages.DeleteIndex{IndexUID: "films"},
	} {
		if a := f.write(m); a.Err == nil || a.Err.Code != "miroir_no_quorum" || a.Task != nil {
			t.Errorf("%T: %+v", m, a)
		}
	}
	f.up(0)
	f.up(1)
	f.untilState(0, stateReady)
	f.untilState(1, stateReady)
	if got := f.must(adding("films", `[{"id":9}]`)).UID; got != last+1 {
		t.Errorf("task %d follows task %d", got, last)
	}
	if docs := f.equal("films"); len(docs) != 4 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestAnAnswerThatGetsLostDoesNotRepeatTheWrite(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	before := f.c.nodes[0].lastTask.Load()
	for i := range 3 {
		f.untilState(0, stateReady)
		f.nodes[0].Faults().Add(embedded.Fault{Method: "POST", Path: f.documentsOf("films"), DropAnswer: true, Times: 1})
		f.must(adding("films", fmt.Sprintf(`[{"id":1,"gen":%d}]`, i)))
	}
	// The creation of an index is two calls; either answer may get lost.
	f.untilState(0, stateReady)
	f.nodes[0].Faults().Add(embedded.Fault{Method: "POST", Path: "/indexes", DropAnswer: true, Times: 1})
	f.must(&messages.CreateIndex{IndexUID: "one"})
	f.untilState(0, stateReady)
	f.nodes[0].Faults().Add(embedded.Fault{Method: "PATCH", DropAnswer: true, Times: 1})
	f.must(&messages.CreateIndex{IndexUID: "two"})
	f.idle()
	if n := f.c.nodes[0].lastTask.Load() - before; n != 3+2+2 {
		t.Errorf("the node was given %d tasks for 5 writes of 7 calls", n)
	}
	if doc := f.equal("films")["1"]; !strings.Contains(doc, `"gen":2`) {
		t.Errorf("the last write did not win: %s", doc)
	}
}

func TestAWriteThatArrivedJustBeforeACrashIsNotMadeAgain(t *testing.T) {
	for name, crash := range map[string]func(f *fleet){
		"of the node": func(f *fleet) {
			f.nodes[0].Stop()
			f.untilState(0, stateBroken)
			f.up(0)
		},
		"of the node, for some probes": func(f *fleet) {
			f.nodes[0].Stop()
			before := f.c.nodes[0].probes.Load()
			f.eventually("probes fail", func() bool { return f.c.nodes[0].probes.Load() >= before+3 })
			f.up(0)
		},
		"of the proxy": func(f *fleet) {
			f.stop()
			f.start()
		},
		"of both": func(f *fleet) {
			f.nodes[0].Stop()
			f.stop()
			f.up(0)
			f.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(adding("films", manyDocs(0, 3, "x")))
			f.idle()
			iv, _ := f.c.registry.lookup("films")
			before := f.tasksOf(0, iv.row.ID)
			f.nodes[0].Faults().Add(embedded.Fault{Method: "PUT", Path: f.documentsOf("films"), DropAnswer: true, Times: 1})
			done := make(chan *messages.TaskAccepted, 1)
			go func() { done <- f.write(updating("films", `[{"id":1,"more":true}]`)) }()
			f.eventually("the write arrives", func() bool { return f.nodes[0].Faults().Hits() == 1 })
			crash(f)
			<-done
			f.must(updating("films", `[{"id":1,"more":false}]`))
			if doc := f.equal("films")["1"]; !strings.Contains(doc, `"more":false`) {
				t.Errorf("the last write did not win: %s", doc)
			}
			if n := f.tasksOf(0, iv.row.ID) - before; n != 2 {
				t.Errorf("%d tasks for two writes", n)
			}
		})
	}
}

func TestARefusedSettingsChangeIsTakenBackOnTheOthers(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.must(settingsOf("films", `{"stopWords":["the"]}`))
	f.nodes[1].Faults().Add(embedded.Fault{Method: "PATCH", Status: 400, Code: "invalid_settings_stop_words", Times: 1})
	task := f.ended(f.accepted(settingsOf("films", `{"stopWords":["common"]}`)))
	if task.Status != api.Failed || !strings.Contains(string(task.Error), "planned fault") {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	f.idle()
	for n := range f.nodes {
		if p, _ := f.search("films", `{"q":"common"}`); len(p.Hits) != 3 {
			t.Errorf("read %d finds %d documents", n, len(p.Hits))
		}
	}
	if ix, _ := f.c.Index("films"); !strings.Contains(string(ix.Settings), `"stopWords":["the"]`) {
		t.Errorf("settings now: %s", ix.Settings)
	}
	f.must(settingsOf("films", `{"synonyms":{"a":["b"]}}`))
	if ix, _ := f.c.Index("films"); !strings.Contains(string(ix.Settings), `"stopWords":["the"]`) {
		t.Errorf("settings after the next change: %s", ix.Settings)
	}
}

func TestASettingsChangeBehindARefusedOneDoesNotBringItBack(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	for _, n := range f.nodes {
		n.PauseTasks() // so that the refusal is not known when the next change is ordered
	}
	f.nodes[1].Faults().Add(embedded.Fault{Method: "PATCH", Status: 400, Code: "invalid_settings_stop_words", Times: 1})
	first := f.accepted(settingsOf("films", `{"stopWords":["common"]}`))
	second := f.accepted(settingsOf("films", `{"synonyms":{"a":["b"]}}`))
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	if a, b := f.ended(first), f.ended(second); a.Status != api.Failed || b.Status != api.Succeeded {
		t.Errorf("%s %s, %s %s", a.Status, a.Error, b.Status, b.Error)
	}
	f.idle()
	ix, _ := f.c.Index("films")
	if text := string(ix.Settings); !strings.Contains(text, `"stopWords":[]`) || !strings.Contains(text, `"synonyms":{"a":["b"]}`) {
		t.Errorf("settings now: %s", text)
	}
	for n := range f.nodes {
		if p, _ := f.search("films", `{"q":"common"}`); len(p.Hits) != 3 {
			t.Errorf("read %d finds %d documents", n, len(p.Hits))
		}
	}
}

func TestDocumentsKeepTheirPlaceOverUpdatesAndLoseItByDeletion(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	order := func() string {
		p, _ := f.search("films", `{"limit":100}`)
		return strings.Join(ids(p.Hits), " ")
	}
	f.must(adding("films", `[{"id":"c"},{"id":"a"},{"id":"b"},{"id":"d"}]`))
	f.must(adding("films", `[{"id":"a","new":1},{"id":"e"}]`))
	f.must(updating("films", `[{"id":"b","more":1}]`))
	if got := order(); got != "c a b d e" {
		t.Errorf("after updates: %s", got)
	}
	f.must(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"c"}})
	f.must(adding("films", `[{"id":"c"}]`))
	if got := order(); got != "a b d e c" {
		t.Errorf("after a deletion: %s", got)
	}
	// The same without waiting in between.
	f.accepted(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"a"}})
	f.accepted(adding("films", `[{"id":"b"},{"id":"f"}]`))
	f.must(adding("films", `[{"id":"a"},{"id":"f","x":1}]`))
	if got := order(); got != "b d e c f a" {
		t.Errorf("in flight: %s", got)
	}
	f.accepted(&messages.ClearDocuments{IndexUID: "films"})
	f.must(adding("films", `[{"id":"f"},{"id":"a"}]`))
	if got := order(); got != "f a" {
		t.Errorf("after a clear: %s", got)
	}
	f.equal("films")
}

func TestAnIndexDeletedAndMadeAgainWhileTasksAreInFlight(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 5, "old")))
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	var tasks []int64
	tasks = append(tasks, f.accepted(adding("films", manyDocs(5, 5, "old"))))
	tasks = append(tasks, f.accepted(&messages.DeleteIndex{IndexUID: "films"}))
	tasks = append(tasks, f.accepted(adding("films", `[{"pid":"n1"}]`)))
	tasks = append(tasks, f.accepted(&messages.DeleteIndex{IndexUID: "films"}))
	tasks = append(tasks, f.accepted(adding("films", `[{"id":"n2"}]`)))
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	for _, uid := range tasks {
		if task := f.ended(uid); task.Status != api.Succeeded || task.IndexUID != "films" {
			t.Errorf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	if docs := f.equal("films"); len(docs) != 1 || docs["n2"] == "" {
		t.Errorf("documents %v", sortedKeys(docs))
	}
}

func TestAWriteToAnIndexThatDoesNotExistIsAFailedTask(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	for _, m := range []any{
		&messages.DeleteDocuments{IndexUID: "none", IDs: []string{"1"}}, &messages.ClearDocuments{IndexUID: "none"},
		&messages.DeleteIndex{IndexUID: "none"}, &messages.DeleteDocumentsByFilter{IndexUID: "none", Filter: []byte(`"a = 1"`)},
	} {
		task := f.ended(f.accepted(m))
		if task.Status != api.Failed || !strings.Contains(string(task.Error), "index_not_found") {
			t.Errorf("%T: %s %s", m, task.Status, task.Error)
		}
	}
	if n := f.panics("failed task"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// A real node that replaces a document with skipCreation in the batch that makes it
// loses it, so such a write begins a batch.
func TestAReplacementThatCreatesNothingIsNotPutIntoABatchWithWhatIsBefore(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.nodes[0].PauseTasks()
	f.accepted(updating("films", `[{"id":2,"made":true}]`))
	skipping := adding("films", `[{"id":2,"replaced":true},{"id":3}]`)
	skipping.SkipCreation = true
	f.accepted(skipping)
	last := f.accepted(adding("films", `[{"id":4}]`))
	iv, _ := f.c.registry.lookup("films")
	f.eventually("all is sent", func() bool { return f.tasksOf(0, iv.row.ID) >= 7 }) // with the index and settings
	f.nodes[0].ResumeTasks()
	f.ended(last)
	var list nodeTasks
	if err := f.c.read(t.Context(), f.c.nodes[0], "/tasks?types=documentAdditionOrUpdate&indexUids="+iv.row.ID, &list); err != nil || len(list.Results) != 4 {
		t.Fatalf("%v: %+v", err, list)
	}
	if after, skips, before := *list.Results[0].Batch, *list.Results[1].Batch, *list.Results[2].Batch; skips == before || skips != after {
		t.Errorf("it is in batch %d, what was before in %d, what came after in %d", skips, before, after)
	}
	docs := f.equal("films")
	if _, made := docs["3"]; len(docs) != 3 || made || !strings.Contains(docs["2"], `"replaced":true`) {
		t.Errorf("%v", docs)
	}
}

func TestAWriteThatNoNodeCouldTakeIsDroppedAndFails(t *testing.T) {
	f := newFleet(t, 2, 1, 1, func(o *Options) { o.ProbeInterval = 1 << 40 })
	f.must(adding("films", manyDocs(0, 3, "x")))
	// The nodes go while nobody looks: the write is numbered and reaches none.
	f.nodes[0].Stop()
	f.nodes[1].Stop()
	a := f.write(&messages.ClearDocuments{IndexUID: "films"})
	if a.Err == nil || a.Err.Code != "miroir_no_quorum" || a.Task == nil {
		t.Fatalf("%+v", a)
	}
	task := f.ended(int64(a.Task.TaskUID))
	if task.Status != api.Failed || !strings.Contains(string(task.Error), "miroir_no_quorum") {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	f.up(0)
	f.up(1)
	f.untilState(0, stateReady)
	f.untilState(1, stateReady)
	if docs := f.equal("films"); len(docs) != 3 {
		t.Errorf("%d documents", len(docs))
	}
	f.must(adding("films", `[{"id":9}]`))
}

func TestARestartInTheMiddleOfDeliveriesLosesNothing(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.down(1)
	f.nodes[0].PauseTasks()
	var tasks []int64
	for i := range 5 {
		tasks = append(tasks, f.accepted(adding("films", fmt.Sprintf(`[{"id":"r%d"},{"id":1,"gen":%d}]`, i, i))))
	}
	f.stop()
	f.nodes[0].ResumeTasks()
	f.start()
	if p, a := f.search("films", `{}`); a.Degraded != "" || len(p.Hits) == 0 {
		t.Errorf("after the restart: %+v", a)
	}
	for _, uid := range tasks {
		if task := f.ended(uid); task.Status != api.Succeeded {
			t.Errorf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
	// Once more with settled tasks and a node that is still behind.
	f.stop()
	f.start()
	if p, a := f.search("films", `{}`); a.Degraded != "" || len(p.Hits) != 8 {
		t.Errorf("after the second restart: %d hits, %+v", len(p.Hits), a)
	}
	f.up(1)
	f.untilState(1, stateReady)
	if docs := f.equal("films"); len(docs) != 8 || !strings.Contains(docs["1"], `"gen":4`) {
		t.Errorf("documents %v, %s", sortedKeys(docs), docs["1"])
	}
	f.must(adding("films", `[{"id":"end"}]`))
}

// A node keeps what a change of embedders does not name, so removed ones are named.
func TestAnEmbedderThatIsRemovedLeavesTheNodes(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(settingsOf("films", `{"embedders":{"a":{"source":"userProvided","dimensions":2},"b":{"source":"userProvided","dimensions":2}}}`))
	gone := func(name string) {
		t.Helper()
		f.idle()
		for n := range f.nodes {
			if text := f.settingsOn(n, "films"); strings.Contains(text, `"`+name+`":{`) {
				t.Errorf("node %d still has embedder %s: %s", n, name, text)
			}
		}
	}
	f.must(settingsOf("films", `{"embedders":{"a":null}}`))
	gone("a")
	f.must(settingsOf("films", `{"embedders":null}`))
	gone("b")
	f.nodes[1].Faults().Add(embedded.Fault{Method: "PATCH", Status: 400, Code: "invalid_settings_embedders", Times: 1})
	f.ended(f.accepted(settingsOf("films", `{"embedders":{"c":{"source":"userProvided","dimensions":2}}}`)))
	gone("c") // taken back on the other node
}
